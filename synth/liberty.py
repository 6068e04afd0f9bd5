"""Reads Liberty files: the group tree, and the few facts that synthesis asks for.

The grammar is small: `name (arguments) { ... }` is a group, `name (arguments);` a complex and
`name : value;` a simple attribute. Any library that keeps to it is read, whatever its layout.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from synth.errors import LibertyError

_TOKEN = re.compile(r'"[^"]*"|[{}();:,]|[^\s{}();:,"]+')
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)


@dataclass
class Group:
    """One group of a Liberty file.

    Attributes
    ----------
    kind : such as `cell`, `pin` or `timing`
    names : its arguments
    attributes : simple attributes; of repeated ones the last
    lists : complex attributes, their arguments without quotes
    groups : nested groups, in order
    """

    kind: str
    names: tuple[str, ...] = ()
    attributes: dict[str, str] = field(default_factory=dict)
    lists: dict[str, tuple[str, ...]] = field(default_factory=dict)
    groups: list["Group"] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The first argument."""
        return self.names[0] if self.names else ""

    def of_kind(self, *kinds: str) -> Iterator["Group"]:
        """Nested groups of these kinds."""
        return (group for group in self.groups if group.kind in kinds)


@dataclass(frozen=True)
class Library:
    """A parsed Liberty file.

    Attributes
    ----------
    path : the file
    root : its one group
    """

    path: Path
    root: Group

    @cached_property
    def cells(self) -> dict[str, Group]:
        """Cells by name."""
        return {cell.name: cell for cell in self.root.of_kind("cell")}

    @property
    def name(self) -> str:
        """The library's own name."""
        return self.root.name

    def area_um2(self, cell: str) -> float:
        """Area of a cell."""
        return float(self.cells[cell].attributes.get("area", 0))

    @cached_property
    def flipflops(self) -> tuple[str, ...]:
        """Cells that store a bit on an edge."""
        return tuple(name for name, cell in self.cells.items() if any(cell.of_kind("ff")))

    @cached_property
    def clock_gates(self) -> tuple[str, ...]:
        """Clock gates for rising-edge flip-flops, the smallest first."""
        kind = "clock_gating_integrated_cell"
        found = [
            name
            for name, cell in self.cells.items()
            if cell.attributes.get(kind, "").startswith("latch_posedge")
        ]
        return tuple(sorted(found, key=self.area_um2))

    @cached_property
    def full_adders(self) -> tuple[str, ...]:
        """Cells with the two functions of a full adder, the smallest first."""
        found = [name for name, cell in self.cells.items() if full_adder_pins(cell)]
        return tuple(sorted(found, key=self.area_um2))


def read_liberty(path: Path) -> Library:
    """Parse a Liberty file and check that a netlist can be made from it.

    Raises
    ------
    LibertyError
        If the file is missing, is not Liberty, or has no inverter-like gate or no flip-flop.
    """
    try:
        text = path.read_text(errors="replace")
    except OSError as error:
        raise LibertyError(
            f"{path}: {error.strerror or error}; name a Liberty file that exists"
        ) from error
    library = Library(path, _parse(text, path))
    if library.root.kind != "library" or not library.cells:
        raise LibertyError(f"{path}: holds no library with cells; give a Liberty file (.lib)")
    if not library.flipflops:
        raise LibertyError(
            f"{path}: has no flip-flop, which every unit needs; use a library that has one"
        )
    return library


def _parse(text: str, path: Path) -> Group:
    source = _COMMENT.sub(" ", text).replace("\\\n", " ")
    tokens = [match.group() for match in _TOKEN.finditer(source)]
    try:
        root, end = _statement(tokens, 0)
    except (IndexError, ValueError) as error:
        raise LibertyError(
            f"{path}: not a Liberty file, or a damaged one ({error}); give a whole .lib file"
        ) from None
    if not isinstance(root, Group) or end != len(tokens):
        raise LibertyError(f"{path}: text after the library's end; give a whole .lib file")
    return root


def _statement(tokens: list[str], at: int) -> tuple[Group | tuple[str, tuple[str, ...]], int]:
    """A group, or (name, values) of an attribute; and the place behind it."""
    name, mark = tokens[at], tokens[at + 1]
    if mark == ":":
        end = at + 2
        while tokens[end] not in (";", "}") and (end == at + 2 or tokens[end] in "(),"):
            end += 1
        value = " ".join(token.strip('"') for token in tokens[at + 2 : end])
        return (name, (value,)), end + (tokens[end] == ";")
    if mark != "(":
        raise ValueError(f"expected ':' or '(' after {name[:30]}")
    close = tokens.index(")", at)
    names = tuple(token.strip('"') for token in tokens[at + 2 : close] if token != ",")
    end = close + 1
    if end < len(tokens) and tokens[end] == "{":
        return _body(Group(name, names), tokens, end + 1)
    return (f"{name}()", names), end + (end < len(tokens) and tokens[end] == ";")


def _body(group: Group, tokens: list[str], at: int) -> tuple[Group, int]:
    while tokens[at] != "}":
        if tokens[at] == ";":  # some writers end groups with one
            at += 1
            continue
        item, at = _statement(tokens, at)
        if isinstance(item, Group):
            group.groups.append(item)
        elif item[0].endswith("()"):
            group.lists[item[0][:-2]] = item[1]
        else:
            group.attributes[item[0]] = item[1][0]
    return group, at + 1


def full_adder_pins(cell: Group) -> tuple[str, ...]:
    """Three inputs, carry and sum of a full adder, by their truth tables; else nothing."""
    pins = {pin.name: pin.attributes for pin in cell.of_kind("pin")}
    inputs = [name for name, pin in pins.items() if pin.get("direction") == "input"]
    functions = {name: pin["function"] for name, pin in pins.items() if "function" in pin}
    if len(inputs) != 3 or len(functions) != 2:
        return ()
    names = {truth_table(text, inputs): name for name, text in functions.items()}
    carry, total = (0, 0, 0, 1, 0, 1, 1, 1), (0, 1, 1, 0, 1, 0, 0, 1)
    return (*inputs, names[carry], names[total]) if {carry, total} == set(names) else ()


def truth_table(function: str, inputs: list[str]) -> tuple[int, ...]:
    """Values of a Liberty function over all inputs, the first input the most significant."""
    places = range(len(inputs) - 1, -1, -1)
    return tuple(
        evaluate(function, {pin: row >> n & 1 for pin, n in zip(inputs, places, strict=True)})
        for row in range(1 << len(inputs))
    )


def evaluate(function: str, values: Mapping[str, int]) -> int:
    """Value of a Liberty function for pin values."""
    tokens = re.findall(r"\w+|[!'()*&+|^]", function)
    value, end = _or(tokens, 0, values)
    if end != len(tokens):
        raise ValueError(f"cannot read the function {function}")
    return value


def _or(tokens: list[str], at: int, values: Mapping[str, int]) -> tuple[int, int]:
    left, at = _and(tokens, at, values)
    while at < len(tokens) and tokens[at] in "|+":
        right, at = _and(tokens, at + 1, values)
        left |= right
    return left, at


def _and(tokens: list[str], at: int, values: Mapping[str, int]) -> tuple[int, int]:
    left, at = _xor(tokens, at, values)
    while at < len(tokens) and tokens[at] not in "|+)^":
        right, at = _xor(tokens, at + (tokens[at] in "&*"), values)
        left &= right
    return left, at


def _xor(tokens: list[str], at: int, values: Mapping[str, int]) -> tuple[int, int]:
    left, at = _factor(tokens, at, values)
    while at < len(tokens) and tokens[at] == "^":
        right, at = _factor(tokens, at + 1, values)
        left ^= right
    return left, at


def _factor(tokens: list[str], at: int, values: Mapping[str, int]) -> tuple[int, int]:
    token = tokens[at]
    if token == "!":
        value, at = _factor(tokens, at + 1, values)
        return 1 - value, at
    if token == "(":
        value, at = _or(tokens, at + 1, values)
        at += 1
    else:
        value, at = (int(token) if token in "01" else values[token]), at + 1
    while at < len(tokens) and tokens[at] == "'":
        value, at = 1 - value, at + 1
    return value, at
