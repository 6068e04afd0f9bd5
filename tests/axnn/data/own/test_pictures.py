"""Folders of pictures: upright, of one size, grey if all are; what is no picture is told."""

import numpy as np
import pytest
from PIL import Image, ImageFile

from axnn.data import DataSet
from axnn.data.own import pictures
from axnn.data.own.pictures import read_pictures
from qcnpe.spec.errors import QcnpeError

RNG = np.random.default_rng(3)


def save(folder, name, pixels, **how):
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(folder / name, **how)


def grey(*shape):
    return RNG.integers(0, 256, shape, np.uint8)


@pytest.fixture
def folder(tmp_path):
    """Two classes of ten grey pictures each."""
    for label in ("cat", "dog"):
        for number in range(10):
            save(tmp_path / "own" / label, f"{number}.png", grey(9, 8))
    return tmp_path / "own"


def test_folders_are_classes_and_bytes_are_kept(folder):
    found = read_pictures(folder)
    assert found.labelled.labels.tolist() == ["cat"] * 10 + ["dog"] * 10
    paths = [folder / label / f"{number}.png" for label in ("cat", "dog") for number in range(10)]
    wanted = np.stack([np.asarray(Image.open(path)) for path in paths])[:, None]
    np.testing.assert_array_equal(found.inputs, wanted)
    samples = DataSet.read(folder, seed=2)
    assert samples.input_shape == (1, 9, 8)
    assert samples.classes.names == ("cat", "dog")
    assert [len(part) for part in (samples.train, samples.validation, samples.test)] == [12, 4, 4]


def test_one_in_colour_makes_all_so(folder):
    save(folder / "cat", "x.jpg", grey(9, 8, 3), quality=95)
    found = read_pictures(folder)
    assert found.inputs.shape == (21, 3, 9, 8)
    first = np.asarray(Image.open(folder / "cat" / "0.png"))
    np.testing.assert_array_equal(found.inputs[0], np.stack([first] * 3))


def test_pictures_of_many_sizes_are_stretched_to_one(folder):
    save(folder / "cat", "large.png", np.full((200, 300), 77, np.uint8))
    found = read_pictures(folder)
    assert found.inputs.shape == (21, 1, 32, 32)
    assert set(found.inputs[-11].ravel().tolist()) == {77}
    assert found.read_notes == ("pictures are resized to 32 x 32 pixels",)
    assert read_pictures(folder, side=5).inputs.shape == (21, 1, 5, 5)


def test_a_photograph_that_lies_on_its_side_is_turned(tmp_path):
    pixels = np.zeros((4, 6), np.uint8)
    pixels[0] = 255  # the upper edge, which field 6 says is the right one of what was seen
    exif = Image.Exif()
    exif[0x0112] = 6
    for label in ("a", "b"):
        save(tmp_path / label, "x.jpg", np.kron(pixels, np.ones((8, 8), np.uint8)), exif=exif)
    found = read_pictures(tmp_path).inputs[0, 0]
    assert found.shape == (48, 32)
    assert found[:, -8:].min() > 240
    assert found[:, :-9].max() < 15


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK"])
def test_every_mode_becomes_eight_bits(tmp_path, mode):
    suffix = "jpg" if mode == "CMYK" else "png"
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        plain = Image.new("L", (5, 4), 255)
        plain.convert(mode).save(tmp_path / label / f"x.{suffix}")
    assert set(read_pictures(tmp_path).inputs.ravel().tolist()) == {255}


def test_transparency_is_left_out_and_told(folder):
    save(folder / "cat", "opaque.png", np.full((9, 8, 4), 255, np.uint8))
    assert read_pictures(folder).read_notes == ()
    shape = np.full((9, 8, 4), 255, np.uint8)
    shape[3:5, :, 3] = 0
    save(folder / "cat", "shape.png", shape)
    save(folder / "dog", "index.png", np.zeros((9, 8), np.uint8), transparency=0)
    (note,) = read_pictures(folder).read_notes
    assert note.startswith("2 pictures are transparent in places, which is left out, such as ")
    assert note.endswith("cat/shape.png")


def test_a_folder_beside_the_parts_is_named(tmp_path):
    for part in ("train", "test", "notes"):
        for label in ("cat", "dog"):
            save(tmp_path / part / label, "0.png", grey(8, 8))
    with pytest.raises(QcnpeError, match="folders train and test, and 'notes' besides; move that"):
        read_pictures(tmp_path)


def test_of_sixteen_bits_the_upper_ones_count(tmp_path):
    wide = np.array([[0, 255, 256, 0x7FFF, 0xFFFF]], np.uint16)
    save(tmp_path / "a", "x.png", wide)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x.pgm").write_bytes(b"P5\n5 1\n65535\n" + wide.astype(">u2").tobytes())
    wanted = [0, 0, 1, 127, 255]
    assert read_pictures(tmp_path).inputs[:, 0, 0].tolist() == [wanted] * 2
    save(tmp_path / "b", "y.png", np.zeros((1, 5, 3), np.uint8))  # makes all coloured
    assert read_pictures(tmp_path).inputs[:2, :, 0].tolist() == [[wanted] * 3] * 2


def test_parts_of_the_folder_are_kept(tmp_path):
    for part, count in (("train", 10), ("val", 3), ("test", 4)):
        for label in ("cat", "dog"):
            for number in range(count):
                save(tmp_path / part / label, f"{number}.png", grey(8, 8))
    samples = DataSet.read(tmp_path)
    assert [len(part) for part in (samples.train, samples.validation, samples.test)] == [20, 6, 8]


def test_what_is_no_picture_is_left_out_and_told(folder):
    (folder / "cat" / "notes.txt").write_text("x")
    (folder / "cat" / ".hidden.png").write_text("x")
    (folder / "readme.md").write_text("x")
    (folder / "dog" / "deeper.png").mkdir()
    found = read_pictures(folder)
    assert len(found.inputs) == 20
    assert found.read_notes[0].startswith("2 files are not pictures and are left out, such as ")


def test_faults_name_the_file(folder, tmp_path, monkeypatch):
    with pytest.raises(QcnpeError, match="nowhere: no such file or folder"):
        DataSet.read(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(QcnpeError, match="empty: holds no folders with pictures"):
        DataSet.read(tmp_path / "empty")
    (tmp_path / "table.xlsx").write_text("x")
    with pytest.raises(QcnpeError, match=r"table.xlsx: give a table \(.csv, .tsv, .txt\), arrays"):
        DataSet.read(tmp_path / "table.xlsx")
    bad = folder / "cat" / "3.png"
    bad.write_bytes(bad.read_bytes()[:60])
    with pytest.raises(QcnpeError, match=r"cat/3.png: is a damaged picture"):
        DataSet.read(folder)
    bad.write_bytes(b"")
    with pytest.raises(QcnpeError, match=r"cat/3.png: is a damaged picture"):
        DataSet.read(folder)
    bad.unlink()
    monkeypatch.setattr(pictures, "MAX_FILES", 15)
    with pytest.raises(QcnpeError, match="more than 15 files"):
        DataSet.read(folder)


@pytest.mark.parametrize(
    ("side", "message"),
    [(5_000, "5000 x 5000 pixels are more than 16,777,216"), (20_000, "decompression bomb")],
)
def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(
    folder, monkeypatch, side, message
):
    """Pillow itself refuses none of less than 179 million pixels."""
    Image.new("1", (side, side)).save(folder / "cat" / "bomb.png")
    load = ImageFile.ImageFile.load

    def load_small(picture):
        assert picture.width < 100, "decoded"
        return load(picture)

    monkeypatch.setattr(ImageFile.ImageFile, "load", load_small)
    with pytest.raises(QcnpeError, match=f"bomb.png: .*{message}"):
        read_pictures(folder)
