"""Files of samples: int16 inputs with a class each, or refused."""

import numpy as np
import pytest

from qcnpe.spec.errors import FormatError
from qcnpe.spec.samples import Samples
from tests.damage import resave

INPUTS = np.arange(-3, 3, dtype=np.int16).reshape(2, 3)


def test_load_gives_what_was_saved(tmp_path):
    Samples(INPUTS, np.array([4, 0])).save(tmp_path / "s.npz")
    found = Samples.load(tmp_path / "s.npz")
    np.testing.assert_array_equal(found.inputs, INPUTS)
    np.testing.assert_array_equal(found.labels, [4, 0])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"inputs": INPUTS.astype(np.int32)},
            r"array inputs must be int16 \(any, any\), not int32",
        ),
        ({"inputs": INPUTS[0]}, r"array inputs must be int16 \(any, any\)"),
        ({"labels": np.array([1])}, "samples must be int16"),
        ({"labels": np.array([1, -1])}, "array labels has values outside 0"),
        ({"more": INPUTS}, "holds 'more.npy'"),
    ],
)
def test_files_that_hold_something_else(tmp_path, arrays, message):
    path = tmp_path / "s.npz"
    Samples(INPUTS, np.array([4, 0])).save(path)
    resave(path, lambda _, found: found.update(arrays))
    with pytest.raises(FormatError, match=message) as caught:
        Samples.load(path)
    assert str(caught.value).startswith(f"{path}: ")
