"""The contents of the register file: what all tops share."""

from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib.wiring import In

from qcnpe.rtl.axi import AxiLiteRegisters, lite_ports
from qcnpe.rtl.component import Component
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.registers import address_bits


def connect_lite(m: Module, top: Component, file: AxiLiteRegisters) -> None:
    """Connect a top's ports `s_axil_*` to its register file."""
    for name, member in lite_ports("", address_bits(file.table)).items():
        ours, its = getattr(top, f"s_axil{name}"), getattr(file, f"axi{name}")
        m.d.comb += its.eq(ours) if member.flow is In else ours.eq(its)


def control_engine(
    m: Module, config: EngineConfig, file: AxiLiteRegisters, engine: Any, clear: Value
) -> None:
    """The control register acts one cycle after it is written and holds no state.

    Parameters
    ----------
    m, file : module and register file of the top
    config, engine : the engine, or what has its ports `halt`, `resume` and `ceiling`
    clear : set all counters to zero
    """
    action = Signal(3)
    ceiling = Signal(5, init=OPERAND_BITS)
    m.d.sync += action.eq(Mux(file.written_control, file.data, 0))
    m.d.comb += [
        Cat(engine.halt, engine.resume, clear).eq(action),
        engine.ceiling.eq(ceiling),
        file.value_ceiling.eq(ceiling),
    ]
    if config.kind.is_gated:
        with m.If(file.written_ceiling), m.Switch(file.data):
            with m.Case(*config.precisions):
                m.d.sync += ceiling.eq(file.data)


def show_constants(
    m: Module, file: AxiLiteRegisters, words: Mapping[str, Mapping[str, int]]
) -> None:
    """Registers that never change, by register and field."""
    for name, fields in words.items():
        (register,) = (entry for entry in file.table if entry.name == name)
        word = place = 0
        for field in register.fields:
            word |= fields[field.name] << place
            place += field.bits
        m.d.comb += getattr(file, f"value_{name}").eq(word)


def show_counters(m: Module, file: AxiLiteRegisters, counts: Mapping[str, Value]) -> None:
    """Counters of two registers each: a read of the low half latches the high half."""
    for name, count in counts.items():
        high = Signal(32, name=f"{name}_high")
        with m.If(getattr(file, f"read_{name}_low")):
            m.d.sync += high.eq(count[32:])
        m.d.comb += [
            getattr(file, f"value_{name}_low").eq(count[:32]),
            getattr(file, f"value_{name}_high").eq(high),
        ]
