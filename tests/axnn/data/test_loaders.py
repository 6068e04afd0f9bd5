"""Loaders of the real sets on made-up collections of the same layout, and the catalog itself."""

import gzip
import json
import struct

import numpy as np
import pytest

from axnn import data
from axnn.data import census, faces, letters, pictures
from axnn.data.catalog import COLLECTIONS
from axnn.data.catalog.adult import ADULT_FIELDS, ADULT_NUMBERS, decode_adult
from axnn.data.catalog.cifar import decode_cifar_binary, decode_cifar_pictures
from axnn.data.catalog.letter import decode_letter
from axnn.data.catalog.mnist import decode_idx_files
from axnn.data.catalog.orl import decode_orl
from axnn.data.faces import split_people
from axnn.errors import DataError
from tests.axnn.data.test_decoders import make_png

RNG = np.random.default_rng(0)


def small(monkeypatch, module, **arrays):
    monkeypatch.setattr(module, "read_collection", lambda _collection: arrays)


def test_catalog_counts_are_the_published_ones():
    """Counts from the publishers' own pages."""
    samples = {
        "mnist": (60000, 10000),
        "fashion_mnist": (60000, 10000),
        "cifar10": (50000, 10000),
        "adult": (32561, 16281),
    }
    for name, (train, test) in samples.items():
        arrays = COLLECTIONS[name].arrays
        assert arrays["train_labels"].shape == (train,)
        assert arrays["test_labels"].shape == (test,)
    assert COLLECTIONS["orl"].arrays["images"].shape == (400, 112, 92)
    assert COLLECTIONS["letter"].arrays["features"].shape == (20000, 16)
    for collection in COLLECTIONS.values():
        assert all(len(facts.sha256) == 64 for facts in collection.arrays.values())


def test_every_set_but_the_bundled_one_says_what_it_needs():
    assert {name for name in data.LOADERS if not data.needs(name)} == {"digits8x8"}


def test_mnist_is_padded_scaled_and_split(monkeypatch):
    labels = np.repeat(np.arange(10, dtype=np.uint8), 6)
    images = RNG.integers(0, 256, (60, 28, 28), np.uint8)
    small(
        monkeypatch,
        pictures,
        train_images=images,
        train_labels=labels,
        test_images=images[:7],
        test_labels=labels[:7],
    )
    found = pictures.load_mnist(3)
    assert [len(part) for part in (found.train, found.validation, found.test)] == [50, 10, 7]
    assert found.input_shape == (1, 32, 32)
    assert np.array_equal(found.test.inputs[:, 0, 2:30, 2:30] * 255, images[:7])
    assert found.test.inputs.sum() == pytest.approx(images[:7].sum() / 255, rel=1e-5)
    assert np.bincount(found.validation.labels).tolist() == [1] * 10


def test_cifar_is_scaled_around_zero(monkeypatch):
    images = np.zeros((20, 3, 32, 32), np.uint8)
    images[:, 0], images[:, 1] = 255, 51
    labels = np.repeat(np.arange(2, dtype=np.uint8), 10)
    small(
        monkeypatch,
        pictures,
        train_images=images,
        train_labels=labels,
        test_images=images,
        test_labels=labels,
    )
    found = pictures.load_cifar10(0).test.inputs[0, :, 0, 0]
    assert found == pytest.approx([1, -0.6, -1])


def test_people_never_cross_the_split():
    first, rest = split_people(np.repeat(np.arange(12), 10), 5, seed=4)
    assert len(first) == 5
    assert sorted([*first, *rest]) == list(range(12))


def test_faces_of_one_person_are_in_one_part(monkeypatch):
    """Every picture shows its person's number as its grey, so that a window tells whose it is."""
    people = np.repeat(np.arange(40, dtype=np.uint8), 2)
    shown = np.broadcast_to(people[:, None, None], (80, 112, 92))
    small(
        monkeypatch,
        faces,
        images=shown,
        people=people,
        train_images=np.full((700, 3, 32, 32), 100, np.uint8),
        test_images=np.full((400, 3, 32, 32), 200, np.uint8),
    )
    for seed in range(3):
        found = faces.load_faces(seed)
        parts = {}
        for name in ("train", "validation", "test"):
            part = getattr(found, name)
            assert np.bincount(part.labels).tolist() == [len(part) // 2] * 2
            greys = part.inputs[part.labels == 1] * 255
            assert np.ptp(greys, axis=(1, 2, 3)).max() < 1e-3
            parts[name] = set(np.round(greys[:, 0, 0, 0]).astype(int))
            others = part.inputs[part.labels == 0] * 255
            assert others == pytest.approx(200 if name == "test" else 100, abs=1e-3)
        assert [len(who) for who in parts.values()] == [20, 10, 10]
        assert not parts["train"] & parts["validation"]
        assert not (parts["train"] | parts["validation"]) & parts["test"]
        assert parts["test"] == {int(person) for person in split_people(people, 10, seed=0)[0]}, (
            "the test part must not depend on the seed"
        )


def test_shrinking_is_the_mean_over_areas():
    window = RNG.integers(0, 256, (64, 64), np.uint8)
    means = window.reshape(32, 2, 32, 2).mean(axis=(1, 3)) / 255
    assert faces._shrink(window) == pytest.approx(means, abs=1e-6)
    assert faces._shrink(np.full((79, 79), 51, np.uint8)) == pytest.approx(0.2, abs=1e-6)


def test_census_learns_its_encoding_from_the_training_part_alone(monkeypatch):
    values = np.zeros((200, 14), np.int32)
    values[:, 0] = RNG.permutation(200)
    values[:, 1] = np.arange(200) % 2
    labels = (np.arange(200) % 4 == 1).astype(np.uint8)
    arrays = {"train_values": values, "train_labels": labels}
    low, high = np.zeros((1, 14), np.int32), np.full((1, 14), 500, np.int32)
    high[:, [1, 3, 5, 6, 7, 8, 9, 13]] = 1

    def load(test):
        small(monkeypatch, census, **arrays, test_values=test, test_labels=np.zeros(1, np.uint8))
        return census.load_adult(0)

    one, other = load(low), load(high)
    assert np.array_equal(one.train.inputs, other.train.inputs)
    assert np.array_equal(one.validation.inputs, other.validation.inputs)
    assert one.test.inputs[0, 0, 0, 0] < 0.02
    assert other.test.inputs[0, 0, 0, 0] == 1
    # 80 training samples of word 1, half of them of class 1, drawn to 1/4 by 20 of the average
    assert other.test.inputs[0, 1, 0, 0] == pytest.approx((40 + 20 / 4) / 100, abs=0.01)
    assert one.test.inputs[0, 1, 0, 0] == pytest.approx((0 + 20 / 4) / 100, abs=0.01)
    assert one.input_shape == (14, 1, 1)


def test_letter_has_the_same_test_part_for_every_seed(monkeypatch):
    labels = np.repeat(np.arange(26, dtype=np.uint8), 20)
    features = RNG.integers(0, 16, (520, 16), np.uint8)
    small(monkeypatch, letters, features=features, labels=labels)
    one, other = letters.load_letter(1), letters.load_letter(2)
    assert np.array_equal(one.test.inputs, other.test.inputs)
    assert not np.array_equal(one.validation.inputs, other.validation.inputs)
    assert [len(part) for part in (one.train, one.validation, one.test)] == [332, 84, 104]


def test_idx_files_must_all_be_there_and_be_whole():
    header = struct.pack(">BBBBI", 0, 0, 8, 1, 60000)
    with pytest.raises(DataError, match="needs one file train-images-idx3-ubyte, found 0"):
        decode_idx_files({"x/train-labels-idx1-ubyte": header + bytes(60000)})
    with pytest.raises(DataError, match="IDX header must be"):
        decode_idx_files({"x/train-images-idx3-ubyte": gzip.compress(b"")})


def test_cifar_batch_must_be_whole():
    with pytest.raises(DataError, match="CIFAR batch must have 30730000 bytes, not 3"):
        decode_cifar_binary({f"data_batch_{n}.bin": b"abc" for n in range(1, 6)})
    with pytest.raises(DataError, match=r"must be RGB \(10000, 1024\)"):
        decode_cifar_pictures({f"data_batch_{n}.png": make_png() for n in range(1, 6)})


def test_orl_needs_every_pose_of_everybody():
    picture = b"P5\n92 112\n255\n" + bytes(92 * 112)
    complete = {
        f"orl/s{person}/{pose}.pgm": picture for person in range(1, 41) for pose in range(1, 11)
    }
    found = decode_orl(complete)
    assert found["images"].shape == (400, 112, 92)
    assert np.bincount(found["people"]).tolist() == [10] * 40
    del complete["orl/s7/3.pgm"]
    with pytest.raises(DataError, match=r"needs one file s7/3\.pgm, found 0"):
        decode_orl(complete)


def make_census(records: int, ending: str = "") -> bytes:
    fields = ["7" if name in ADULT_NUMBERS else "word" for name in ADULT_FIELDS]
    return (", ".join([*fields, "<=50K" + ending]) + "\n").encode() * records


def test_adult_is_numbers_and_places_of_words():
    found = decode_adult({"adult.data": make_census(32561), "adult.test": make_census(16281, ".")})
    expected = [7 if name in ADULT_NUMBERS else 0 for name in ADULT_FIELDS]
    assert found["train_values"][5].tolist() == expected
    assert not found["test_labels"].any()
    spoilt = make_census(16281, ".").replace(b"<=50K", b"=50K")
    with pytest.raises(DataError, match="income must be one of <=50K, >50K"):
        decode_adult({"adult.data": make_census(32561), "adult.test": spoilt})


def test_letter_does_not_depend_on_the_order_of_the_records():
    records = [(chr(65 + n % 26), [str(v) for v in RNG.integers(0, 16, 16)]) for n in range(20000)]
    first = "\n".join(",".join([letter, *fields]) for letter, fields in records)
    last = "\n".join(",".join([*fields, letter]) for letter, fields in reversed(records))
    found = [
        decode_letter({"x": first.encode()}, name="x", letter_first=True),
        decode_letter({"x": last.encode()}, name="x", letter_first=False),
    ]
    for name in ("features", "labels"):
        assert np.array_equal(found[0][name], found[1][name])
    spoilt = {"x": first.replace("A,", "a,").encode()}
    with pytest.raises(DataError, match=r"letter must be A\.\.Z, not 'a'"):
        decode_letter(spoilt, name="x", letter_first=True)


@pytest.mark.parametrize("labels", [b"{}", b"[1]", b"x", json.dumps([10] * 10000).encode()])
def test_cifar_labels_must_be_a_list_of_classes(labels):
    from axnn.data.catalog.cifar import _decode_cifar_labels

    with pytest.raises(DataError, match="labels"):
        _decode_cifar_labels(labels, 10000)
