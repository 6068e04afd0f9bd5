"""Registers of an autonomous engine in SystemRDL 2.0, which PeakRDL turns into other formats."""

from collections.abc import Iterable

from qcnpe.spec.commands import Field
from qcnpe.spec.memory.config import MemoryConfig
from qcnpe.spec.memory.registers import memory_feature_words, memory_registers
from qcnpe.spec.registers import REGISTER_BYTES, Access, feature_words

_ACCESS = {
    Access.READ: "sw = r; hw = w;",
    Access.WRITE: "sw = w; hw = r;",
    Access.READ_WRITE: "sw = rw; hw = r;",
    Access.READ_CLEAR: "sw = rw; onwrite = woclr; hw = w;",
}
"""Properties of a field by the accesses that the register allows."""


def system_rdl(config: MemoryConfig, name: str) -> str:
    """All registers of an engine as a SystemRDL address map.

    Fields that describe the engine are constants with their values.

    Parameters
    ----------
    config : the engine and its memories
    name : of the address map
    """
    constants = feature_words(config.engine) | memory_feature_words(config)
    bits = REGISTER_BYTES * 8
    lines = [
        "// Registers of an autonomous QC-NPE. Written by `qcnpe generate`; do not edit.",
        f"addrmap {name} {{",
        "    addressing = compact;",
        f"    default regwidth = {bits};",
        f"    default accesswidth = {bits};",
    ]
    for register in memory_registers(config):
        values = constants.get(register.name, {})
        lines.append("    reg {")
        lines += _fields(register.fields, register.access, values)
        lines.append(f"    }} {register.name} @ 0x{register.offset:X};")
    return "\n".join([*lines, "};", ""])


def _fields(fields: Iterable[Field], access: Access, values: dict[str, int]) -> Iterable[str]:
    low = 0
    for field in fields:
        properties = _ACCESS[access]
        if field.name in values:
            properties = f"sw = r; hw = na; reset = {field.bits}'d{values[field.name]};"
        meaning = field.meaning.replace("\\", "\\\\").replace('"', '\\"')
        place = f"[{low + field.bits - 1}:{low}]"
        yield f'        field {{ {properties} desc = "{meaning}"; }} {field.name}{place};'
        low += field.bits
