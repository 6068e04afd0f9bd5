"""The check of a descriptor."""

from typing import Any

from amaranth.hdl import Const, Module, Signal, Value
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component
from qcnpe.rtl.memory.layouts import DESCRIPTOR_LAYOUTS, view_descriptor
from qcnpe.spec.memory.config import DESCRIPTOR_BITS, Memory, MemoryConfig
from qcnpe.spec.memory.descriptors import Base, Fault, Operation

_TRANSFERS = (Operation.LOAD, Operation.STORE, Operation.FILL)


class DescriptorCheck(Component):
    """Says why a descriptor is refused, see `spec.memory.descriptors.decode_descriptor`.

    Latency: none.

    Parameters
    ----------
    config : the memories

    Ports
    -----
    descriptor : in, 256 bits, the descriptor
    fault : out, `Fault`, the first that is found, in the order of their codes, or NONE
    """

    def __init__(self, config: MemoryConfig) -> None:
        self.config = config
        super().__init__({"descriptor": In(DESCRIPTOR_BITS), "fault": Out(Fault)})

    def elaborate(self, platform: object) -> Module:
        """Each operation has its own checks."""
        m = Module()
        code = self._view(Operation.END).operation
        with m.Switch(code):
            for operation in Operation:
                with m.Case(operation):
                    self._build_choice(m, self._checks(m, operation))
            with m.Default():
                m.d.comb += self.fault.eq(Fault.OPERATION)
        return m

    def _view(self, operation: Operation) -> Any:
        return view_descriptor(self.descriptor, operation)

    def _build_choice(self, m: Module, checks: list[tuple[Fault, Value]]) -> None:
        for fault, bad in reversed(checks):
            with m.If(bad):
                m.d.comb += self.fault.eq(fault)

    def _checks(self, m: Module, operation: Operation) -> list[tuple[Fault, Value]]:
        asked = self._view(operation)
        reserved = self.descriptor[DESCRIPTOR_LAYOUTS[operation].size :].any()
        checks: list[tuple[Fault, Value]] = [(Fault.RESERVED, reserved)]
        if operation is Operation.TILES:
            counts = (asked.tiles, asked.repeat, asked.sources, asked.maps)
            checks += [(Fault.TILES, count == 0) for count in counts]
            checks.append((Fault.TILES, asked.maps > len(self.config.engine.precisions)))
        if operation is Operation.JUMP:
            checks.append((Fault.ROWS, asked.row >= self.config.depth(Memory.DESCRIPTORS)))
        if operation in _TRANSFERS:
            checks += self._transfer_checks(m, operation, asked)
        return checks

    def _transfer_checks(
        self, m: Module, operation: Operation, asked: Any
    ) -> list[tuple[Fault, Value]]:
        depth, words = Signal(17, name=f"depth_{operation}"), Signal(9, name=f"words_{operation}")
        memories: tuple[Memory, ...] = (Memory.ACTIVATIONS,)
        checks: list[tuple[Fault, Value]] = []
        selector: Value = Const(Memory.ACTIVATIONS)
        if operation is Operation.LOAD:
            memories, selector = tuple(Memory), asked.memory
            checks.append((Fault.MEMORY, asked.memory > max(Memory)))
        with m.Switch(selector):
            for memory in memories:
                with m.Case(memory):
                    m.d.comb += depth.eq(self.config.depth(memory))
                    m.d.comb += words.eq(self.config.row_words(memory))
        end = Signal(17, name=f"end_{operation}")
        m.d.comb += end.eq(asked.row + asked.rows)
        if operation is not Operation.FILL:
            checks.append((Fault.BASE, asked.base > max(Base)))
        checks.append((Fault.ROWS, (asked.rows == 0) | (end > depth)))
        if operation is not Operation.FILL:
            checks.append((Fault.WORDS, (asked.words == 0) | (asked.words > words)))
            low = asked.offset[: (self.config.bus_bytes - 1).bit_length()]
            checks.append((Fault.ALIGNMENT, low.any()))
        return checks
