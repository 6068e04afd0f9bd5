"""Pages on words, registers, streams and results, from the tables that the code uses."""

import json
from collections import Counter
from pathlib import Path

from docs.tables.cells import ROOT, markdown
from qcnpe.spec.commands import PARAMETER_FIELDS, Field, command_fields
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.memory.config import DESCRIPTOR_BITS, MemoryConfig
from qcnpe.spec.memory.descriptors import DESCRIPTOR_FIELDS, FAULT_MEANINGS
from qcnpe.spec.memory.registers import memory_feature_words, memory_registers
from qcnpe.spec.memory.tables import TAP_FIELDS, WALK_FIELDS, WRITE_FIELDS, lane_fields
from qcnpe.spec.registers import register_map
from qcnpe.spec.stream_guide import stream_guide

_ENGINE = EngineConfig()
_MEMORIES = MemoryConfig.default(_ENGINE)

_SHOWN_LANES = 5
"""Fields of a lane entry that are shown: the common one, and those of row 0."""

_WORDS = """# Words of the engine

Generated from the field tables that compiler, model and RTL share (`qcnpe/spec/commands.py`), here
for {title}. Fields are listed from the lowest bit on. `manifest.json`, beside the Verilog of
`qcnpe generate`, holds the same for every engine.
"""

_EXAMPLE = """
Generated for an engine of {rows} x {cols} NCUs; `qcnpe generate` writes the same file for every
engine beside its Verilog.
"""


def words_page() -> str:
    """Layouts of commands and parameters."""
    parts = [_WORDS.format(title=_ENGINE.title)]
    for title, fields in (
        ("Command, 64 bits", command_fields(_ENGINE)),
        ("Parameter, 32 bits", PARAMETER_FIELDS),
    ):
        parts += [f"## {title}\n", _field_table(fields)]
    return "\n".join(parts)


_MEMORY_WORDS = """# Words of autonomous engines

Generated from the field tables that compiler, model and RTL share (`qcnpe/spec/memory`), here for
{title}, with memories of default sizes. Fields are listed from the lowest bit on; bits above are
zero. Command and parameter words are [those of the stream engine](words.md).
[The autonomous engine](../explanation/autonomous.md) explains lanes, walks, taps and writes.
"""


def memory_words_page() -> str:
    """Layouts of descriptors and of the entries of tables."""
    parts = [_MEMORY_WORDS.format(title=_ENGINE.title)]
    for operation, fields in DESCRIPTOR_FIELDS.items():
        title = f"Descriptor {operation.name}, operation {operation.value}, {DESCRIPTOR_BITS} bits"
        parts += [f"## {title}\n", _field_table(fields)]
    lanes = lane_fields(_MEMORIES)
    for title, fields in (
        ("Walk, 64 bits, in TAPS and WRITES", WALK_FIELDS),
        ("Tap, 64 bits", TAP_FIELDS),
        ("Write, 64 bits", WRITE_FIELDS),
        (f"Lanes, {sum(field.bits for field in lanes)} bits", lanes[:_SHOWN_LANES]),
    ):
        parts += [f"## {title}\n", _field_table(fields)]
    parts.append(f"The same fields follow for the other {_ENGINE.rows - 1} rows.\n")
    faults = [[str(fault.value), fault.name, text] for fault, text in FAULT_MEANINGS.items()]
    parts += ["## Faults\n", markdown(["code", "fault", "meaning"], faults)]
    return "\n".join(parts)


def memory_registers_page() -> str:
    """The register file of an autonomous engine."""
    table, constants = memory_registers(_MEMORIES), memory_feature_words(_MEMORIES)
    title, _, rest = _with_note(register_map(_ENGINE, table, constants)).partition("\n")
    return f"{title} of autonomous engines\n{rest}"


def _field_table(fields: tuple[Field, ...]) -> str:
    rows, place = [], 0
    for field in fields:
        high = place + field.bits - 1
        bits = f"{high}:{place}" if field.bits > 1 else str(place)
        rows.append([bits, f"`{field.name}`", "yes" if field.signed else "", field.meaning])
        place += field.bits
    return markdown(["bits", "field", "signed", "meaning"], rows)


def registers_page() -> str:
    """The register file."""
    return _with_note(register_map(_ENGINE))


def streams_page() -> str:
    """The rules of the streams."""
    return _with_note(stream_guide(_ENGINE))


def _with_note(text: str) -> str:
    title, _, rest = text.partition("\n")
    return title + "\n" + _EXAMPLE.format(rows=_ENGINE.rows, cols=_ENGINE.cols) + rest


_RESULTS = """# Result keys

Generated from `results/*.json`. Each file holds `command`, `seed`, `versions`, `machine` and
`figures`, a number for each key; the words of a key are separated by dots.
[What is measured](../measurements.md) says what each file shows. Units stand at the end of a key:
`_pj` picojoules, `_ns` nanoseconds, `_um2` square micrometres, `_us` microseconds, `_ratio` how
many times less or more. Accuracies are percentages, losses of accuracy percentage points.
"""


def results_page() -> str:
    """What each result file holds."""
    return "\n".join([_RESULTS, *map(_results_section, sorted((ROOT / "results").glob("*.json")))])


def _results_section(path: Path) -> str:
    """A file: how it was made, and its keys by their first word."""
    document = json.loads(path.read_text(encoding="utf-8"))
    figures = document["figures"]
    groups = Counter(key.partition(".")[0] for key in figures)
    rows = [[f"`{name}`", str(count), _example(name, figures)] for name, count in groups.items()]
    return "\n".join(
        [
            f"## {path.name}\n",
            f"`{document['command']}`, seed {document.get('seed')}: {len(figures):,} figures.\n",
            markdown(["first word", "figures", "for example"], rows),
        ]
    )


def _example(name: str, figures: dict[str, float]) -> str:
    key = next(key for key in figures if key.partition(".")[0] == name)
    return f"`{key}`: {figures[key]}"
