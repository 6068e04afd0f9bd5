"""Renders chapters as one self-contained HTML file."""

from collections.abc import Sequence
from importlib.resources import files

from axnn.report.content import Chapter
from qcnpe.spec.text import printable

TEMPLATE = "page.html"
"""File of the template in this package."""


def render(title: str, chapters: Sequence[Chapter]) -> str:
    """The page as HTML; all text is escaped.

    Parameters
    ----------
    title : of the page
    chapters : in order, the overview first
    """
    from jinja2 import Environment, StrictUndefined

    source = files(__package__).joinpath(TEMPLATE).read_text(encoding="utf-8")
    environment = Environment(
        autoescape=True,
        finalize=lambda value: printable(value) if type(value) is str else value,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["tied"] = _tied
    return environment.from_string(source).render(title=title, chapters=chapters) + "\n"


def _tied(text: str) -> str:
    """The text with no-break spaces before percent signs, which keeps them with their numbers."""
    return text.replace(" %", "\N{NO-BREAK SPACE}%")
