"""The content of a page, before it is rendered as HTML."""

import base64
import struct
from dataclasses import dataclass
from functools import cached_property


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
class Picture:
    """A figure.

    Attributes
    ----------
    name : of its file, without `.png`
    caption : what it shows, under it
    alt : its content in words, for readers who cannot see it
    png : the file
    """

    name: str
    caption: str
    alt: str
    png: bytes

    @property
    def source(self) -> str:
        """The file as a `data:` address."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode("ascii")

    @cached_property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, from the file's header."""
        width, height = struct.unpack(">II", self.png[16:24])
        return width, height


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
    facts : (name, value) pairs that summarise it
    sections : in order
    """

    name: str
    title: str
    facts: tuple[tuple[str, str], ...] = ()
    sections: tuple[Section, ...] = ()
