"""A library as plain Liberty text for Yosys and ABC, in one notation.

Their parsers accept less than `grammar` does, and interpret some of it differently: in ABC AND
binds before XOR, and an unusual order of axes makes it fail. So they get one text in ns and fF that
holds only what they read correctly, and in which every cell that they must not place is marked
`dont_use`.
"""

from collections.abc import Iterator, Sequence

from synth.liberty.arcs import DELAY_TABLES, Arc
from synth.liberty.cells import Cell, CellKind, Storage
from synth.liberty.library import Library

_HEAD = """library (cells) {
delay_model : table_lookup;
time_unit : "1ns";
voltage_unit : "1V";
capacitive_load_unit (1, ff);"""

_TEMPLATE = """lu_table_template (delay_{slews}_{loads}) {{
variable_1 : input_net_transition;
variable_2 : total_output_net_capacitance;
index_1 ("{slew_points}");
index_2 ("{load_points}");
}}"""

_SENSES = ("positive_unate", "negative_unate", "non_unate")

MIN_POINTS = 3
"""Fewest points of an axis: with fewer, ABC fails."""

MIN_NS = 1e-6
"""Smallest delay or transition: at 0 or less, which files may hold, ABC fails."""


def plain_text(library: Library) -> str:
    """Liberty text of all cells of a library, in the order of its files."""
    placed = {cell.name for cell in library.for_mapping}
    lines = (
        line
        for cell in library.cells.values()
        for line in _cell(cell, may_be_placed=cell.name in placed)
    )
    return "\n".join([_HEAD, *_templates(library), *lines, "}", ""])


def _templates(library: Library) -> Iterator[str]:
    """A template for each size: ABC fails if the size of a table differs from its template's."""
    tables = (
        t for cell in library.cells.values() for arc in cell.timing for t in arc.tables.values()
    )
    for slews, loads in sorted({(len(_axis(t.slews_ns)), len(_axis(t.loads_ff))) for t in tables}):
        yield _TEMPLATE.format(
            slews=slews,
            loads=loads,
            slew_points=_numbers(range(slews)),
            load_points=_numbers(range(loads)),
        )


def _cell(cell: Cell, *, may_be_placed: bool) -> Iterator[str]:
    yield f"cell ({cell.name}) {{"
    yield f"area : {cell.area_um2!r};"
    if not may_be_placed:
        yield "dont_use : true;"
    if cell.storage and cell.kind is not CellKind.CLOCK_GATE:
        yield from _storage(cell.storage, cell.kind)
    for pin, capacitance_ff in cell.capacitance_ff.items():
        rise_ff, fall_ff = cell.edges_ff[pin]
        yield f"pin ({pin}) {{ direction : input;"
        yield f"capacitance : {capacitance_ff!r};"
        yield f"rise_capacitance : {rise_ff!r};"
        yield f"fall_capacitance : {fall_ff!r};"
        yield "}"
    for pin in cell.outputs:
        yield f"pin ({pin}) {{ direction : output;"
        yield from _output(cell, pin)
        yield "}"
    yield "}"


def _storage(storage: Storage, kind: CellKind) -> Iterator[str]:
    words = ("ff", "clocked_on", "next_state")
    if kind is CellKind.LATCH:
        words = ("latch", "enable", "data_in")
    yield f"{words[0]} ({', '.join(storage.names)}) {{"
    yield f'{words[1]} : "{"" if storage.active else "!"}{storage.control}";'
    yield f'{words[2]} : "{storage.data}";'
    for name, function in (("clear", storage.clear), ("preset", storage.preset)):
        if function.names:
            yield f'{name} : "{function}";'
    yield "}"


def _output(cell: Cell, pin: str) -> Iterator[str]:
    if cell.kind is not CellKind.CLOCK_GATE:
        yield f'function : "{cell.outputs[pin]}";'
    if pin in cell.max_load_ff:
        yield f"max_capacitance : {cell.max_load_ff[pin]!r};"
    if cell.kind is CellKind.LOGIC:
        for arc in cell.delays_of(pin):
            yield from _timing(arc)


def _timing(arc: Arc) -> Iterator[str]:
    yield f'timing () {{ related_pin : "{arc.related}";'
    if arc.sense in _SENSES:
        yield f"timing_sense : {arc.sense};"
    for kind in DELAY_TABLES:
        table = arc.tables[kind]
        slews, loads = _axis(table.slews_ns), _axis(table.loads_ff)
        values = table.values.tolist()
        if (slews, loads) != (table.slews_ns, table.loads_ff):
            values = [[table.at(slew, load) for load in loads] for slew in slews]
        rows = (f'"{_numbers([max(value, MIN_NS) for value in row])}"' for row in values)
        yield f"{kind} (delay_{len(slews)}_{len(loads)}) {{"
        yield f'index_1 ("{_numbers(slews)}");'
        yield f'index_2 ("{_numbers(loads)}");'
        yield f"values ({', '.join(rows)});"
        yield "}"
    yield "}"


def _axis(points: Sequence[float]) -> Sequence[float]:
    """The same points; more where the file has fewer than `MIN_POINTS`."""
    if len(points) >= MIN_POINTS:
        return points
    first, last = (points[0], points[-1]) if len(points) > 1 else (0.0, 1.0)
    return (first, (first + last) / 2, last)


def _numbers(values: Sequence[float]) -> str:
    return ", ".join(map(repr, values))
