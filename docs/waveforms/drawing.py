"""Draws lanes of a timing diagram as SVG."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby, pairwise

_CELL, _LANE, _GAP = 24, 30, 26
"""Width of a cycle, height of a lane, width of a gap in time, in pixels."""

_NAMES, _TOP, _HIGH = 176, 40, 18
"""Width of the lanes' names, height of the head, height of a signal."""

_CHARACTER = 6.8
"""Width of a character in a box, in pixels."""

TONES = {
    "plain": "#e6e6e6",
    "a": "#9fd0f0",
    "b": "#f7d08a",
    "c": "#a5dcc6",
    "d": "#e3bfd6",
    "bad": "#f2a07b",
    "waits": "url(#waits)",
}
"""Fills of boxes; the tints can be told apart by colour-blind readers."""

_STYLE = """text{font:12px sans-serif;fill:#222}
.box{font:12px monospace;text-anchor:middle}
.beside{font:12px monospace;paint-order:stroke;stroke:#fff;stroke-width:5px}
.time{text-anchor:middle;fill:#666}
path,rect{stroke:#444;fill:none}
.grid{stroke:#ddd}
.gap{stroke:#999;stroke-dasharray:3 3}"""


@dataclass(frozen=True)
class Box:
    """What a bus carries in a cycle.

    Attributes
    ----------
    text : shown if there is room, in the box or beside it
    tone : one of `TONES`
    """

    text: str
    tone: str = "plain"


Cell = bool | Box | None
"""A signal's level, a bus' content, or a bus that carries nothing."""


@dataclass(frozen=True)
class Lane:
    """A signal or a bus.

    Attributes
    ----------
    name : shown on the left
    cells : what it does in each cycle
    joined : draw equal neighbouring boxes as one
    """

    name: str
    cells: Sequence[Cell]
    joined: bool = False


@dataclass(frozen=True)
class Figure:
    """A timing diagram.

    Attributes
    ----------
    title : what it shows, for readers who do not see it
    lanes : from the top on
    windows : first cycle and the one after the last of each part; gaps separate the parts
    notes : lines below
    """

    title: str
    lanes: Sequence[Lane]
    windows: Sequence[tuple[int, int]]
    notes: Sequence[str] = ()

    def svg(self) -> str:
        """The drawing."""
        body = _TOP + _LANE * len(self.lanes)
        width = self._left(len(self.windows)) - _GAP + 12
        height = body + 10 + 18 * len(self.notes)
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
            f' width="{width}" height="{height}" role="img">',
            f"<title>{escape(self.title)}</title><style>{_STYLE}</style>",
            '<defs><pattern id="waits" width="6" height="6" patternUnits="userSpaceOnUse"'
            ' patternTransform="rotate(45)"><rect width="6" height="6" style="fill:#fff;'
            'stroke:none"/><path d="M0 0V6" style="stroke:#999"/></pattern></defs>',
            '<rect width="100%" height="100%" style="fill:#fff;stroke:none"/>',
        ]
        for number in range(len(self.windows)):
            parts += self._window(number, body)
        for number, note in enumerate(self.notes):
            parts.append(f'<text x="8" y="{body + 18 * (number + 1)}">{escape(note)}</text>')
        return "\n".join([*parts, "</svg>", ""])

    def _left(self, number: int) -> int:
        """Where a part begins."""
        before = self.windows[:number]
        return _NAMES + sum((end - start) * _CELL + _GAP for start, end in before)

    def _window(self, number: int, bottom: int) -> Iterator[str]:
        start, end = self.windows[number]
        left = self._left(number)
        for cycle in range(start, end + 1):
            x = left + (cycle - start) * _CELL
            yield f'<path class="grid" d="M{x} {_TOP - 6}V{bottom}"/>'
            shown = cycle - self.windows[0][0]
            if shown % 5 == 0 and cycle < end:
                yield f'<text class="time" x="{x + _CELL // 2}" y="24">{shown}</text>'
        if number:
            yield f'<path class="gap" d="M{left - _GAP // 2} {_TOP - 6}V{bottom}"/>'
        for index, lane in enumerate(self.lanes):
            y = _TOP + _LANE * index + (_LANE - _HIGH) // 2
            if not number:
                yield f'<text x="8" y="{y + 14}">{escape(lane.name)}</text>'
            yield from _lane(lane, lane.cells[start:end], left, y)


def _lane(lane: Lane, cells: Sequence[Cell], x: int, y: int) -> Iterator[str]:
    """The runs of a lane: a line for levels and for nothing, boxes for contents."""

    def kind_of(cell: Cell) -> tuple[type, Cell]:
        return type(cell), cell if lane.joined and isinstance(cell, Box) else None

    texts = []
    for (kind, _), run in groupby(cells, kind_of):
        members = list(run)
        if kind is bool:
            yield _levels([bool(cell) for cell in members], x, y)
        elif kind is Box:
            size = len(members) if lane.joined else 1
            for box, place in zip(
                members[::size],
                range(x, x + len(members) * _CELL, size * _CELL),
                strict=True,
            ):
                assert isinstance(box, Box)
                yield f'<rect x="{place}" y="{y}" width="{size * _CELL}" height="{_HIGH}"' + (
                    f' style="fill:{TONES[box.tone]}"/>'
                )
                texts.append((box.text, place, size * _CELL))
        else:
            yield f'<path d="M{x} {y + _HIGH // 2}h{len(members) * _CELL}"/>'
        x += len(members) * _CELL
    for (text, place, width), (_, end, _) in pairwise([*texts, ("", x, 0)]):
        yield _label(text, place, width, end, y)


def _levels(levels: Sequence[bool], x: int, y: int) -> str:
    steps = "".join(f"V{y if level else y + _HIGH}h{_CELL}" for level in levels)
    return f'<path d="M{x} {y if levels[0] else y + _HIGH}{steps}"/>'


def _label(text: str, x: int, width: int, end: int, y: int) -> str:
    """The text of a box: in it, beside it where nothing follows, or nowhere for want of room."""
    size = len(text) * _CHARACTER
    if size <= width:
        return f'<text class="box" x="{x + width / 2:g}" y="{y + 13}">{escape(text)}</text>'
    start = next((at for at in (x + width + 4, x + 3) if at + size <= end), None)
    if start is None:
        return ""
    return f'<text class="beside" x="{start}" y="{y + 13}">{escape(text)}</text>'
