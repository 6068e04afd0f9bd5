"""Registers of an engine in SystemRDL 2.0, which PeakRDL turns into other formats."""

from collections.abc import Iterable, Mapping

from qcnpe.spec.commands import Field
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.registers import (
    REGISTER_BYTES,
    Access,
    FieldValues,
    Register,
    feature_words,
    registers,
    reset_words,
)

_ACCESS = {
    Access.READ: "sw = r; hw = w;",
    Access.WRITE: "sw = w; hw = r;",
    Access.READ_WRITE: "sw = rw; hw = r;",
    Access.READ_CLEAR: "sw = rw; onwrite = woclr; hw = w;",
}
"""Properties of a field by the accesses that the register allows."""


def system_rdl(
    config: EngineConfig,
    name: str,
    table: Iterable[Register] | None = None,
    constants: FieldValues | None = None,
) -> str:
    """All registers of an engine as a SystemRDL address map.

    Fields that describe the engine are constants; all that can be read have their values after a
    reset.

    Parameters
    ----------
    config : the engine
    name : of the address map
    table : all registers, if there are others than the engine's
    constants : those of these others that describe the engine
    """
    constant, resets = feature_words(config) | dict(constants or {}), reset_words(config)
    bits = REGISTER_BYTES * 8
    lines = [
        "// Registers of a QC-NPE. Written by `qcnpe generate`; do not edit.",
        f"addrmap {name} {{",
        "    addressing = compact;",
        f"    default regwidth = {bits};",
        f"    default accesswidth = {bits};",
    ]
    for register in registers(config) if table is None else table:
        lines.append("    reg {")
        if register.name in constant:
            values, properties = constant[register.name], "sw = r; hw = na;"
        else:
            values, properties = resets.get(register.name, {}), _ACCESS[register.access]
        has_value = register.access is not Access.WRITE
        lines += _fields(register.fields, properties, values if has_value else None)
        lines.append(f"    }} {register.name} @ 0x{register.offset:X};")
    return "\n".join([*lines, "};", ""])


def _fields(
    fields: Iterable[Field], properties: str, values: Mapping[str, int] | None
) -> Iterable[str]:
    low = 0
    for field in fields:
        reset = ""
        if values is not None:
            reset = f" reset = {field.bits}'d{values.get(field.name, 0)};"
        meaning = field.meaning.replace("\\", "\\\\").replace('"', '\\"')
        place = f"[{low + field.bits - 1}:{low}]"
        yield f'        field {{ {properties}{reset} desc = "{meaning}"; }} {field.name}{place};'
        low += field.bits
