"""The content of a page, before it is rendered as HTML."""

import base64
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of text under headings; the first column names the row.

    Attributes
    ----------
    caption : what the rows are
    head : headings
    rows : cells
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """An SVG file.

    Attributes
    ----------
    svg : its bytes
    width, height : in pixels of CSS, at which its text is no smaller than 12 pixels
    """

    svg: bytes
    width: int
    height: int


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure.

    Attributes
    ----------
    name : of its file, without `.svg`
    caption : what it shows, under it
    alt : its content in words, for readers who cannot see it
    drawing : the file
    """

    name: str
    caption: str
    alt: str
    drawing: Drawing

    @property
    def source(self) -> str:
        """The file as a `data:` address."""
        return "data:image/svg+xml;base64," + base64.b64encode(self.drawing.svg).decode("ascii")


@dataclass(frozen=True, kw_only=True)
class Section:
    """One question and its answer.

    Attributes
    ----------
    title : the question's name
    text : paragraphs
    pictures, tables : the answer
    missing : what has not been run, and the command that runs it
    """

    title: str
    text: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    tables: tuple[Table, ...] = ()
    missing: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """Everything about one application.

    Attributes
    ----------
    name : the anchor in the page
    title : heading
    page : address of the interactive page on it, from here; None if there is none
    facts : (name, value) pairs that summarise it
    sections : in order
    """

    name: str
    title: str
    page: str | None = None
    facts: tuple[tuple[str, str], ...] = ()
    sections: tuple[Section, ...] = ()
