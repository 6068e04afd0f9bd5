"""The command register: takes and checks commands."""

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component
from qcnpe.rtl.layouts import command_layout, mode_bits
from qcnpe.rtl.precision import PrecisionRegister
from qcnpe.spec.activation import Function
from qcnpe.spec.commands import POOLS, ErrorCause, Opcode
from qcnpe.spec.config import OPERAND_BITS, EngineConfig


class Decoder(Component):
    """Holds the command in progress; checks commands as `spec.commands.check_command` does.

    The next command is taken in the cycle in which the present one finishes, so that there is no
    cycle between them. A bad one is reported in the cycle in which it is taken, and never
    executed. While the engine is halted, commands are taken and discarded.

    Latency: a command that is taken in cycle t is in progress from cycle t + 1 on.

    Parameters
    ----------
    config : the engine

    Ports
    -----
    commands : in, stream of `command_layout(config)`, command words
    finish : in, 1 bit, the command in progress ends with this cycle
    active : out, 1 bit, there is a command in progress
    command : out, `command_layout(config)`, the command in progress
    row_mask : out, `config.rows` bits, active rows of the tile in progress
    col_mask : out, `config.cols` bits, active columns of the tile in progress
    precision : out, 5 bits, see `PrecisionRegister`
    ceiling : in, 5 bits, see `PrecisionRegister`
    mode : out, `mode_bits(config)` bits, see `PrecisionRegister`
    cause : out, `ErrorCause`, cause of a bad command that is taken in this cycle, else NONE
    halt : in, 1 bit, abandon the command in progress, and one that is taken in this cycle
    halted : in, 1 bit, see `Halt`
    """

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        ports = {
            "commands": In(stream.Signature(command_layout(config))),
            "finish": In(1),
            "active": Out(1),
            "command": Out(command_layout(config)),
            "row_mask": Out(config.rows),
            "col_mask": Out(config.cols),
            "precision": Out(5),
            "ceiling": In(5, init=OPERAND_BITS),  # type: ignore[call-arg]
            "cause": Out(ErrorCause),
            "halt": In(1),
            "halted": In(1),
        }
        if mode_bits(config):
            ports["mode"] = Out(mode_bits(config))
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        """The command register and the precision register."""
        m = Module()
        m.submodules.precision_register = register = PrecisionRegister(self.config)
        word = self.commands.payload
        fault, take, good = Signal(ErrorCause), Signal(), Signal()
        m.d.comb += [
            register.requested.eq(word.precision),
            register.ceiling.eq(self.ceiling),
            self.commands.ready.eq(~self.active | self.finish),  # not active while halted
            take.eq(self.commands.ready & ~self.halted),
            good.eq(self.commands.valid & (fault == ErrorCause.NONE)),
            register.load.eq(take & good & (word.opcode == Opcode.TILE)),
            self.precision.eq(register.precision),
        ]
        if mode_bits(self.config):
            m.d.comb += self.mode.eq(register.mode)
        self._build_check(m, register.known, fault)
        with m.If(take):
            m.d.sync += self.active.eq(good)
            with m.If(good):
                m.d.sync += [
                    self.command.eq(word),
                    self.row_mask.eq(_mask(word.rows, self.config.rows)),
                    self.col_mask.eq(_mask(word.cols, self.config.cols)),
                ]
        with m.If(take & self.commands.valid):
            m.d.comb += self.cause.eq(fault)
        with m.If(self.halt):
            m.d.sync += self.active.eq(0)
        return m

    def _build_check(self, m: Module, known_precision: Signal, fault: Signal) -> None:
        """The first cause that applies, in the order of the codes."""
        word, config = self.commands.payload, self.config
        tile = word.opcode == Opcode.TILE
        reserved = word.reserved if "reserved" in word.shape().members else Signal(1)
        broken_window = Cat(
            word.pool >= len(POOLS), *((word.pool == n) & word.rows[:n].any() for n in (1, 2))
        ).any()
        checks: tuple[tuple[ErrorCause, Value], ...] = (
            (ErrorCause.OPCODE, ~tile & (word.opcode != Opcode.TABLE)),
            (ErrorCause.PRECISION, tile & ~known_precision),
            (ErrorCause.BEATS, tile & (word.beats == 0)),
            (ErrorCause.ROWS, tile & ((word.rows == 0) | (word.rows > config.rows))),
            (ErrorCause.COLS, tile & ((word.cols == 0) | (word.cols > config.cols))),
            (ErrorCause.FUNCTION, tile & (word.function > max(Function))),
            (ErrorCause.POOL, tile & broken_window),
            (ErrorCause.RESERVED, reserved.any()),
        )
        for code, bad in reversed(checks):
            with m.If(bad):
                m.d.comb += fault.eq(code)


def _mask(count: Value, lanes: int) -> Value:
    return Cat(*(count > lane for lane in range(lanes)))
