"""Every decoder on small files made by hand, whole and damaged."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from axnn.data.idx import decode_idx
from axnn.data.line_ends import mend_line_ends
from axnn.data.pgm import decode_pgm
from axnn.data.png import decode_png
from axnn.data.records import decode_integer, decode_records
from axnn.errors import DataError

IDX = struct.pack(">BBBBII", 0, 0, 8, 2, 2, 3) + bytes(range(6))
PGM = b"P5\n3 2\n255\n" + bytes([9, 8, 7, 6, 5, 4])
TABLE = b"|comment\n39, State-gov, 77516\n\n50, Private, 1\n"


def make_png(mode="RGB", size=(3, 2)) -> bytes:
    """Pixel (row, column) is (row, column, 200)."""
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    pixels[..., 0] = np.arange(size[1])[:, None]
    pixels[..., 1] = np.arange(size[0])
    pixels[..., 2] = 200
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, "PNG")
    return file.getvalue()


def test_idx_is_rows_of_bytes():
    assert decode_idx(IDX, (2, 3)).tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (IDX[:-1], "must hold 6 bytes after its header, not 5"),
        (IDX + b"x", "must hold 6 bytes after its header, not 7"),
        (b"", "IDX header must be 00000802"),
        (IDX[:7], "IDX header must be 00000802"),
        (IDX.replace(b"\x08", b"\x0d"), "IDX header must be 00000802"),
        (struct.pack(">BBBBII", 0, 0, 8, 2, 3, 2) + bytes(6), "IDX header must be 00000802"),
    ],
)
def test_damaged_idx_is_refused(content, message):
    with pytest.raises(DataError, match=message):
        decode_idx(content, (2, 3))


@pytest.mark.parametrize("header", [b"P5\n3 2\n255\n", b"P5 3\t2 255 ", b"P5\n# made\n3 2\n255\n"])
def test_pgm_is_rows_of_greys(header):
    assert decode_pgm(header + PGM[-6:], (2, 3)).tolist() == [[9, 8, 7], [6, 5, 4]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (PGM[:-1], "must have 6 pixels, not 5"),
        (PGM + b"\n", "must have 6 pixels, not 7"),
        (PGM.replace(b"P5", b"P2"), "not a binary PGM picture"),
        (PGM.replace(b"3 2", b"2 3"), r"must be \(2, 3\) high and wide, not \(3, 2\)"),
        (PGM.replace(b"255", b"65535"), "not a binary PGM picture"),
        (b"", "not a binary PGM picture"),
    ],
)
def test_damaged_pgm_is_refused(content, message):
    with pytest.raises(DataError, match=message):
        decode_pgm(content, (2, 3))


def make_picture(true_pairs: int) -> bytes:
    """A smooth 16x8 picture with three bytes 10 and so many true pairs 13 10."""
    pixels = (40 + np.arange(16)[:, None] * 3 + np.arange(8) * 5).astype(np.uint8)
    for row in (1, 6, 13):
        pixels[row, 3] = 10
    for row in (4, 10)[:true_pairs]:
        pixels[row, 2:4] = (13, 10)
    return b"P5\n8 16\n255\n" + pixels.tobytes()


def spoil(content: bytes) -> bytes:
    """What a version control makes of it: lone 10 to 13 10, pairs as they were."""
    return content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


@pytest.mark.parametrize("true_pairs", [0, 1])
def test_line_ends_are_mended(true_pairs):
    picture = make_picture(true_pairs)
    assert spoil(picture) != picture
    assert mend_line_ends(spoil(picture), 128, 8) == picture
    assert mend_line_ends(picture, 128, 8) == picture


def test_line_ends_that_cannot_be_told_are_refused():
    with pytest.raises(DataError, match="must have 128 pixels, not 126"):
        mend_line_ends(spoil(make_picture(2)), 128, 8)


def test_png_is_rows_of_colours():
    pixels = decode_png(make_png(), (2, 3))
    assert pixels.dtype == np.uint8
    assert pixels[1].tolist() == [[1, 0, 200], [1, 1, 200], [1, 2, 200]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (make_png()[:-30], "PNG picture is damaged"),
        (make_png("L"), r"must be RGB \(2, 3\), not L"),
        (make_png(size=(2, 2)), r"must be RGB \(2, 3\), not RGB \(2, 2\)"),
        (b"GIF89a", "PNG picture is damaged"),
        (b"", "PNG picture is damaged"),
    ],
)
def test_damaged_png_is_refused(content, message):
    with pytest.raises(DataError, match=message):
        decode_png(content, (2, 3))


def test_huge_png_is_refused_before_its_pixels_are_decoded():
    header = make_png()[:16] + struct.pack(">II", 2**31 - 1, 2**31 - 1) + make_png()[24:]
    with pytest.raises(DataError, match="PNG picture"):
        decode_png(header, (2, 3))


def test_table_is_records_of_fields():
    found = decode_records(TABLE, records=2, fields=3)
    assert found == [["39", "State-gov", "77516"], ["50", "Private", "1"]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (TABLE + b"1,2,3\n", "must have 2 records, not 3"),
        (TABLE.replace(b"50, ", b""), "record 2 must have 3 fields, not 2"),
        (b"", "must have 2 records, not 0"),
        (b"1,2,\xff\n", "not ASCII text at byte 4"),
    ],
)
def test_damaged_table_is_refused(content, message):
    with pytest.raises(DataError, match=message):
        decode_records(content, records=2, fields=3)


@pytest.mark.parametrize("field", ["x", "", "1.5", "16", "-1"])
def test_fields_that_are_no_integer_in_range_are_refused(field):
    assert decode_integer("15", 0, 15) == 15
    with pytest.raises(DataError, match=r"field must be (an integer|0\.\.15), not"):
        decode_integer(field, 0, 15)
