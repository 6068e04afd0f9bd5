"""The descriptor processor."""

from enum import IntEnum
from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component
from qcnpe.rtl.layouts import command_layout
from qcnpe.rtl.memory.bus import word_bits
from qcnpe.rtl.memory.descriptor_check import DescriptorCheck
from qcnpe.rtl.memory.filler import FILL_JOB
from qcnpe.rtl.memory.layouts import (
    address_bits,
    transfer_job_layout,
    view_descriptor,
    walk_job,
)
from qcnpe.rtl.memory.parameter_reader import PARAMETER_RUN
from qcnpe.rtl.memory.repeater import repeat_layout
from qcnpe.rtl.memory.select import select_word
from qcnpe.spec.commands import COMMAND_BITS, TableLoad
from qcnpe.spec.memory.config import DESCRIPTOR_BITS, Memory, MemoryConfig
from qcnpe.spec.memory.descriptors import Base, Fault, Operation

COMMAND_JOB = repeat_layout(COMMAND_BITS)
PARAMETER_JOB = repeat_layout(PARAMETER_RUN.size, step=PARAMETER_RUN["count"].width)


class State(IntEnum):
    """What the processor does in a cycle."""

    STOPPED = 0
    BOOT = 1
    BOOTING = 2
    READ = 3
    CHECK = 4
    EXECUTE = 5
    FINISH = 6


class Processor(Component):
    """Executes descriptors in order, see `spec.memory.descriptors`.

    At a start it loads the first descriptors of the image, if it is asked to, and begins at a row.
    After a fault it stops; a reset makes it ready for the next start.

    Latency: a descriptor that does not wait takes `DESCRIPTOR_CYCLES` cycles, see
    `spec.memory.timing`.

    Parameters
    ----------
    config : the memories

    Ports
    -----
    start : in, 1 bit, start a run; ignored while one runs
    start_row : in, 16 bits, row of the first descriptor
    boot_rows : in, 16 bits, descriptors that are loaded from the image to row 0 before; 0: none
    bases : in, `data.ArrayLayout(word_bits(config.bus_bits, config.address_bits), len(Base))`, base
        registers in bus words
    address : out, `address_bits(config, Memory.DESCRIPTORS)` bits, descriptor to read
    read_enable : out, 1 bit, read it
    descriptor : in, 256 bits, the descriptor that was read
    commands : out, stream of `COMMAND_JOB`, command words, and how often they are sent
    parameters : out, stream of `PARAMETER_JOB`, runs of words, and how often they are read
    taps : out, stream of `walk_job(weighted=True)`, what the walker through taps does
    writes : out, stream of `walk_job(weighted=False)`, what the walker through writes does
    loads, stores : out, stream of `transfer_job_layout(config)` each, loads and stores
    fills : out, stream of `FILL_JOB`, fills
    loads_idle : in, 1 bit, no load is left
    tiles_idle : in, 1 bit, no tile and no table is left
    stores_idle : in, 1 bit, no store and no fill is left
    fault : out, `Fault`, why the descriptor is refused; NONE if it is not
    row : out, 16 bits, descriptor that has begun last
    done : out, 1 bit, high for one cycle: the run has ended well
    waits_for_loads : out, 1 bit, a `WAIT` waits for loads
    """

    def __init__(self, config: MemoryConfig) -> None:
        self.config = config
        jobs = {
            "commands": COMMAND_JOB,
            "parameters": PARAMETER_JOB,
            "taps": walk_job(weighted=True),
            "writes": walk_job(weighted=False),
            "loads": transfer_job_layout(config),
            "stores": transfer_job_layout(config),
            "fills": FILL_JOB,
        }
        words = word_bits(config.bus_bits, config.address_bits)
        super().__init__(
            {
                "start": In(1),
                "start_row": In(16),
                "boot_rows": In(16),
                "bases": In(data.ArrayLayout(words, len(Base))),
                "address": Out(address_bits(config, Memory.DESCRIPTORS)),
                "read_enable": Out(1),
                "descriptor": In(DESCRIPTOR_BITS),
                **{name: Out(stream.Signature(layout)) for name, layout in jobs.items()},
                "loads_idle": In(1),
                "tiles_idle": In(1),
                "stores_idle": In(1),
                "fault": Out(Fault),
                "row": Out(16),
                "done": Out(1),
                "waits_for_loads": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Read, check, execute."""
        m = Module()
        m.submodules.check = check = DescriptorCheck(self.config)
        state, following, goes_on = Signal(State), Signal(17), Signal()
        depth = self.config.depth(Memory.DESCRIPTORS)
        m.d.comb += [
            check.descriptor.eq(self.descriptor),
            self.address.eq(following),
            self.read_enable.eq(state == State.READ),
        ]
        with m.Switch(state):
            with m.Case(State.STOPPED):
                m.d.sync += following.eq(self.start_row)
                with m.If(self.start):
                    m.d.sync += state.eq(Mux(self.boot_rows == 0, State.READ, State.BOOT))
            with m.Case(State.BOOT):
                with m.If(self.boot_rows > depth):
                    m.d.sync += self.fault.eq(Fault.ROWS)
                with m.Elif(self.loads.ready):
                    m.d.sync += state.eq(State.BOOTING)
            with m.Case(State.BOOTING):
                with m.If(self.loads_idle):
                    m.d.sync += state.eq(State.READ)
            with m.Case(State.READ):
                m.d.sync += state.eq(State.CHECK)
                with m.If(following >= depth):
                    m.d.sync += [self.fault.eq(Fault.ROWS), state.eq(State.FINISH)]
            with m.Case(State.CHECK):
                m.d.sync += [self.row.eq(following), self.fault.eq(check.fault)]
                m.d.sync += following.eq(following + 1)
                m.d.sync += state.eq(Mux(check.fault == Fault.NONE, State.EXECUTE, State.FINISH))
            with m.Case(State.EXECUTE):
                with m.If(goes_on):
                    m.d.sync += state.eq(State.READ)
        self._build_execution(m, state, following, goes_on)
        return m

    def _view(self, operation: Operation) -> Any:
        return view_descriptor(self.descriptor, operation)

    def _build_execution(
        self, m: Module, state: Signal, following: Signal, goes_on: Signal
    ) -> None:
        """Offer what the descriptor asks for, and go on when it is taken, or done."""
        executes = Signal()
        m.d.comb += executes.eq(state == State.EXECUTE)
        code = self._view(Operation.END).operation
        offers = {
            Operation.LOAD: ("loads",),
            Operation.STORE: ("stores",),
            Operation.FILL: ("fills",),
            Operation.TABLE: ("commands", "parameters"),
            Operation.TILES: ("commands", "parameters", "taps", "writes"),
        }
        self._build_payloads(m, code, state)
        taken: dict[str, Signal] = {}
        for name in dict.fromkeys(name for names in offers.values() for name in names):
            taken[name] = Signal(name=f"{name}_taken")
            port = getattr(self, name)
            wanted = reduce(or_, (code == op for op, names in offers.items() if name in names))
            if name in ("stores", "fills"):
                wanted = wanted & self.tiles_idle
            valid = executes & wanted & ~taken[name]
            if name == "loads":
                valid = valid | (state == State.BOOT) & (
                    self.boot_rows <= self.config.depth(Memory.DESCRIPTORS)
                )
            m.d.comb += port.valid.eq(valid)
            taken_now = port.valid & port.ready
            with m.If(taken_now & executes if name == "loads" else taken_now):
                m.d.sync += taken[name].eq(1)
            with m.If(goes_on):
                m.d.sync += taken[name].eq(0)
        with m.If(executes), m.Switch(code):
            for operation, names in offers.items():
                with m.Case(operation):
                    have = [taken[n] | getattr(self, n).ready for n in names]
                    if operation in (Operation.STORE, Operation.FILL):
                        have = [taken[names[0]], self.stores_idle]
                    m.d.comb += goes_on.eq(Cat(*have).all())
            with m.Case(Operation.WAIT):
                wait = self._view(Operation.WAIT)
                waits = wait.loads & ~self.loads_idle
                m.d.comb += [
                    self.waits_for_loads.eq(waits),
                    goes_on.eq(~waits & ~(wait.tiles & ~self.tiles_idle)),
                ]
            with m.Case(Operation.JUMP):
                m.d.comb += goes_on.eq(1)
                m.d.sync += following.eq(self._view(Operation.JUMP).row)
            with m.Case(Operation.END):
                m.d.comb += self.done.eq(self.loads_idle & self.tiles_idle)
                with m.If(self.done):
                    m.d.sync += state.eq(State.STOPPED)

    def _build_payloads(self, m: Module, code: Value, state: Signal) -> None:
        tiles, table = self._view(Operation.TILES), self._view(Operation.TABLE)
        command = data.View(command_layout(self.config.engine), tiles.command)
        is_table, period = Signal(), Signal(PARAMETER_RUN["period"].width)
        m.d.comb += is_table.eq(code == Operation.TABLE)
        m.d.comb += period.eq(Const(1) << tiles.parameter_period >> 1)
        unused = Const(0, PARAMETER_RUN["first"].width - len(tiles.parameters))
        words = self.commands.payload
        runs = self.parameters.payload
        m.d.comb += [
            words.word.eq(Mux(is_table, TableLoad().word(), tiles.command)),
            runs.word.eq(
                Mux(
                    is_table,
                    Cat(
                        table.parameters,
                        unused,
                        Const(self.config.engine.table_segments + 1, 9),
                    ),
                    Cat(tiles.parameters, unused, command.cols, period),
                )
            ),
            runs.step.eq(Mux(period == 0, command.cols, period)),
        ]
        with m.If(is_table | ~tiles.parameters_go_on):
            m.d.comb += runs.step.eq(0)
        m.d.comb += [
            words.tiles.eq(Mux(is_table, 1, tiles.tiles)),
            words.repeat.eq(Mux(is_table, 1, tiles.repeat)),
            runs.tiles.eq(words.tiles),
            runs.repeat.eq(words.repeat),
        ]
        m.d.comb += [
            *_walk(self.taps.payload, tiles, tiles.sources, tiles.lanes, tiles.walks, tiles.taps),
            self.taps.payload.weights.eq(tiles.weights),
            self.taps.payload.weight_step.eq(tiles.weight_step),
            self.taps.payload.precision.eq(command.precision),
            *_walk(
                self.writes.payload,
                tiles,
                tiles.maps,
                tiles.store_lanes,
                tiles.store_walks,
                tiles.writes,
            ),
        ]
        self._build_transfers(m, state)

    def _build_transfers(self, m: Module, state: Signal) -> None:
        load, store = self._view(Operation.LOAD), self._view(Operation.STORE)
        fill = self._view(Operation.FILL)
        for port, asked in ((self.loads, load), (self.stores, store)):
            low = (self.config.bus_bytes - 1).bit_length()
            base = select_word(list(self.bases), asked.base)
            m.d.comb += [
                *(getattr(port.payload, n).eq(getattr(asked, n)) for n in ("row", "rows", "words")),
                port.payload.first.eq(base + asked.offset[low:]),
            ]
        m.d.comb += [
            self.loads.payload.memory.eq(load.memory),
            self.fills.payload.row.eq(fill.row),
            self.fills.payload.rows.eq(fill.rows),
        ]
        with m.If(state == State.BOOT):
            m.d.comb += [
                self.loads.payload.memory.eq(Memory.DESCRIPTORS),
                self.loads.payload.row.eq(0),
                self.loads.payload.rows.eq(self.boot_rows),
                self.loads.payload.words.eq(self.config.row_words(Memory.DESCRIPTORS)),
                self.loads.payload.first.eq(self.bases[Base.IMAGE]),
            ]


def _walk(job: Any, tiles: Any, sources: Value, lanes: Value, walks: Value, entries: Value) -> Any:
    values = {
        "sources": sources,
        "tiles": tiles.tiles,
        "repeat": tiles.repeat,
        "lanes": lanes,
        "walks": walks,
        "entries": entries,
    }
    return [getattr(job, name).eq(value) for name, value in values.items()]
