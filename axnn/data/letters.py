"""The Letter set, split at random: its parts are told by an order that not all routes keep."""

from string import ascii_uppercase

import numpy as np

from axnn.data.catalog.letter import LETTER
from axnn.data.fetch import read_collection
from axnn.data.labels import Classes
from axnn.data.parts import DataSet, stratified_split

_TEST = 0.2
_VALIDATION = 0.2
_TEST_SEED = 0
"""The test part is the same for every seed of a run."""

_FEATURE_LEVELS = 16
"""Features are 0..15: multiples of 1/16 are exact in an operand of four bits."""


def load_letter(seed: int) -> DataSet:
    """Letter: 12,800 training, 3,200 validation and 4,000 test samples, the customary sizes."""
    arrays = read_collection(LETTER)
    inputs = arrays["features"].astype(np.float32)[:, :, None, None] / np.float32(_FEATURE_LEVELS)
    labels = arrays["labels"].astype(np.int64)
    test, rest = stratified_split(inputs, labels, (_TEST,), seed=_TEST_SEED)
    validation, train = stratified_split(rest.inputs, rest.labels, (_VALIDATION,), seed=seed)
    return DataSet(
        name="letter",
        classes=Classes(tuple(ascii_uppercase)),
        train=train,
        validation=validation,
        test=test,
    )
