"""Writes runs as one HTML file that contains its data, its style and its script."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path

from axnn.flow.lock import lock_folder
from axnn.report.runs.readings import RunReading
from qcnpe.spec.documents import encode_document
from qcnpe.spec.files import replace_text
from qcnpe.spec.text import printable

FILE = "report.html"
"""Name of the page."""

KIND = "axnn-report-1"
"""Kind of the JSON document in the page."""

SCRIPTS = (
    "charts.js",
    "controls.js",
    "quality.js",
    "bars.js",
    "widths.js",
    "roofline.js",
    "systems.js",
    "neurons.js",
    "engines.js",
    "comparison.js",
    "tables.js",
    "page.js",
)
"""Scripts of the page, in the order in which they are joined."""


@dataclass(frozen=True)
class RunPage:
    """The page.

    Attributes
    ----------
    path : its file
    runs : folders of its runs
    points : operating points of all runs
    """

    path: Path
    runs: tuple[str, ...]
    points: int


def write_run_page(out: Path, runs: Sequence[RunReading]) -> RunPage:
    """Write the page on some runs into a folder.

    Parameters
    ----------
    out : the folder
    runs : the first one is shown first
    """
    text = render(runs)
    with lock_folder(out):
        replace_text(out / FILE, text)
    points = sum(len(run.points) for run in runs)
    return RunPage(out / FILE, tuple(run.folder for run in runs), points)


def render(runs: Sequence[RunReading]) -> str:
    """The page as HTML; foreign text is data, never markup."""
    from jinja2 import Environment, StrictUndefined

    script = "".join(_resource(f"script/{name}") for name in SCRIPTS)
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(_resource("page.html")).render(
        title=printable(" and ".join(dict.fromkeys(run.title for run in runs))),
        style=_resource("page.css"),
        script=script,
        script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        data=embedded_json({"kind": KIND, "runs": [asdict(run) for run in runs]}),
    )


def embedded_json(document: object) -> str:
    """JSON that can stand in an HTML element `script`: it holds no `<`."""
    return encode_document(document).replace("<", "\\u003c")


def _resource(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
