"""The memory side: from descriptors to the engine's streams, and from its results to the banks."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.hdl._ast import ValueLike
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out, connect, flipped

from qcnpe.rtl.component import Component
from qcnpe.rtl.fifo import Fifo
from qcnpe.rtl.layouts import operand_beat, result_beat
from qcnpe.rtl.memory.activation_banks import ActivationBanks
from qcnpe.rtl.memory.bus import transfer_layout, word_bits
from qcnpe.rtl.memory.fetch import Fetch
from qcnpe.rtl.memory.filler import Filler
from qcnpe.rtl.memory.layouts import TAP_LAYOUT, WRITE_LAYOUT, walk_job
from qcnpe.rtl.memory.loader import Loader
from qcnpe.rtl.memory.parameter_reader import PARAMETER_RUN, ParameterReader
from qcnpe.rtl.memory.processor import Processor
from qcnpe.rtl.memory.repeater import Repeater
from qcnpe.rtl.memory.row_memory import RowMemory
from qcnpe.rtl.memory.storer import Storer
from qcnpe.rtl.memory.walker import Walker
from qcnpe.rtl.memory.write_back import WriteBack
from qcnpe.spec.commands import COMMAND_BITS, PARAMETER_BITS
from qcnpe.spec.memory.config import Memory, MemoryConfig
from qcnpe.spec.memory.descriptors import Base, Fault
from qcnpe.spec.memory.timing import WAITING_WALKS


class MemorySide(Component):
    """Memories and units, as a block diagram. Wiring only.

    Parameters
    ----------
    config : the memories

    Ports
    -----
    start : in, 1 bit, see `Processor`
    start_row, boot_rows : in, 16 bits each, see `Processor`
    bases : in, `data.ArrayLayout(word_bits(config.bus_bits, config.address_bits), len(Base))`, see
        `Processor`
    engine_busy : in, 1 bit, the engine is not empty
    commands : out, stream of 64 bits, to the engine
    activations : out, stream of `operand_beat(config.engine.rows)`, to the engine
    weights : out, stream of `operand_beat(config.engine.cols)`, to the engine
    parameters : out, stream of 32 bits, to the engine
    results : in, stream of `result_beat(config.engine)`, of the engine
    read_transfer : out, stream of `transfer_layout(config.bus_bits, config.address_bits)`, reads
    write_transfer : out, stream of `transfer_layout(config.bus_bits, config.address_bits)`, writes
    read_words : in, stream of `config.bus_bits` bits, from the bus
    write_words : out, stream of `config.bus_bits` bits, to the bus
    write_done : in, 1 bit, a transfer has ended
    fault : out, `Fault`, a fault, of a tile a cycle after its access, or NONE
    row : out, 16 bits, see `Processor`
    done : out, 1 bit, see `Processor`
    waits_for_loads, passes : out, 1 bit each, events to be counted
    """

    def __init__(self, config: MemoryConfig) -> None:
        self.config = config
        transfer = stream.Signature(transfer_layout(config.bus_bits, config.address_bits))
        bus_word = stream.Signature(config.bus_bits)
        words = word_bits(config.bus_bits, config.address_bits)
        super().__init__(
            {
                "start": In(1),
                "start_row": In(16),
                "boot_rows": In(16),
                "bases": In(data.ArrayLayout(words, len(Base))),
                "engine_busy": In(1),
                "commands": Out(stream.Signature(COMMAND_BITS)),
                "activations": Out(stream.Signature(operand_beat(config.engine.rows))),
                "weights": Out(stream.Signature(operand_beat(config.engine.cols))),
                "parameters": Out(stream.Signature(PARAMETER_BITS)),
                "results": In(stream.Signature(result_beat(config.engine))),
                "read_transfer": Out(transfer),
                "write_transfer": Out(transfer),
                "read_words": In(bus_word),
                "write_words": Out(bus_word),
                "write_done": In(1),
                "fault": Out(Fault),
                "row": Out(16),
                "done": Out(1),
                "waits_for_loads": Out(1),
                "passes": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Processor, streams, fetch, write-back, transfers, memories."""
        m = Module()
        self._outside: list[Value] = []
        self._conflicts: list[Value] = []
        self._writes = Signal(name="writes")
        m.submodules.processor = processor = Processor(self.config)
        m.submodules.banks = banks = ActivationBanks(self.config)
        m.submodules.loader = loader = Loader(self.config)
        names = ("start", "start_row", "boot_rows", "bases")
        m.d.comb += [
            *(getattr(processor, name).eq(getattr(self, name)) for name in names),
            self.row.eq(processor.row),
            self.done.eq(processor.done),
            self.waits_for_loads.eq(processor.waits_for_loads),
            processor.loads_idle.eq(loader.idle),
        ]
        memories = self._build_memories(m, loader)
        _connect_read(m, memories[Memory.DESCRIPTORS], processor, processor.descriptor)
        idle = [
            *self._build_streams(m, processor, memories[Memory.PARAMETERS]),
            *self._build_fetch(m, processor, banks, memories),
            *self._build_write_back(m, processor, banks, memories),
            ~self.engine_busy,
        ]
        m.d.comb += processor.tiles_idle.eq(Cat(*idle).all())
        self._build_transfers(m, processor, banks, loader)
        self._build_faults(m, processor.fault)
        return m

    def _build_memories(self, m: Module, loader: Loader) -> dict[Memory | str, RowMemory]:
        """All memories that only loads write; `LANES` twice, for its two read ports."""
        found: dict[Memory | str, RowMemory] = {}
        kinds = [(memory, memory) for memory in Memory if memory is not Memory.ACTIVATIONS]
        for key, memory in (*kinds, ("store_lanes", Memory.LANES)):
            found[key] = RowMemory(self.config, memory=memory)
            m.submodules[key if isinstance(key, str) else key.name.lower()] = found[key]
            m.d.comb += [
                found[key].load.eq(loader.loads.payload),
                found[key].load_valid.eq(loader.loads.valid),
            ]
        return found

    def _build_streams(self, m: Module, processor: Processor, memory: RowMemory) -> list[ValueLike]:
        """Command and parameter words; returns what is idle when all were sent."""
        m.submodules.commands = commands = Repeater(width=COMMAND_BITS)
        m.submodules.parameter_runs = runs = Repeater(
            width=PARAMETER_RUN.size, step=PARAMETER_RUN["count"].width
        )
        m.submodules.parameter_reader = reader = ParameterReader(self.config)
        connect(m, processor.commands, commands.jobs)
        connect(m, commands.words, flipped(self.commands))
        connect(m, processor.parameters, runs.jobs)
        _connect_read(m, memory, reader, reader.read_data)
        m.d.comb += [
            reader.runs.payload.eq(runs.words.payload),
            reader.runs.valid.eq(runs.words.valid),
            runs.words.ready.eq(reader.runs.ready),
        ]
        connect(m, reader.words, flipped(self.parameters))
        self._outside.append(reader.outside)
        return [commands.idle, runs.idle, reader.idle]

    def _build_fetch(
        self,
        m: Module,
        processor: Processor,
        banks: ActivationBanks,
        memories: dict[Any, RowMemory],
    ) -> list[ValueLike]:
        """Taps to beats of operands."""
        m.submodules.tap_walker = walker = Walker(
            self.config,
            memory=Memory.TAPS,
            selector="source",
            entry=TAP_LAYOUT,
            weighted=True,
        )
        m.submodules.fetch = fetch = Fetch(self.config)
        connect(m, processor.taps, walker.jobs)
        connect(m, walker.steps, fetch.steps)
        _connect_read(m, memories[Memory.TAPS], walker, walker.read_data)
        weights = memories[Memory.WEIGHTS]
        m.d.comb += [
            memories[Memory.LANES].address.eq(walker.lane_address),
            memories[Memory.LANES].read_enable.eq(walker.lane_enable),
            fetch.lanes.eq(memories[Memory.LANES].entry),
            weights.address.eq(fetch.weight_address),
            weights.read_enable.eq(fetch.weight_enable),
            fetch.weight_beat.eq(weights.entry),
            banks.reads.eq(fetch.banks),
            fetch.bank_words.eq(banks.words),
            self.passes.eq(fetch.passes),
        ]
        connect(m, fetch.activations, flipped(self.activations))
        connect(m, fetch.weights, flipped(self.weights))
        self._outside += [walker.outside, fetch.outside]
        self._conflicts.append(fetch.conflict)
        return [walker.idle, fetch.idle]

    def _build_write_back(
        self,
        m: Module,
        processor: Processor,
        banks: ActivationBanks,
        memories: dict[Any, RowMemory],
    ) -> list[ValueLike]:
        """Results to the banks."""
        m.submodules.write_jobs = queue = Fifo(
            width=walk_job(weighted=False).size, depth=WAITING_WALKS
        )
        m.submodules.write_walker = walker = Walker(
            self.config,
            memory=Memory.WRITES,
            selector="map",
            entry=WRITE_LAYOUT,
            weighted=False,
        )
        m.submodules.write_back = write_back = WriteBack(self.config)
        lanes = memories["store_lanes"]
        m.d.comb += [
            queue.i.payload.eq(processor.writes.payload),
            queue.i.valid.eq(processor.writes.valid),
            processor.writes.ready.eq(queue.i.ready),
            walker.jobs.payload.eq(queue.o.payload),
            walker.jobs.valid.eq(queue.o.valid),
            queue.o.ready.eq(walker.jobs.ready),
            lanes.address.eq(walker.lane_address),
            lanes.read_enable.eq(walker.lane_enable),
            write_back.lanes.eq(lanes.entry),
            banks.writes.eq(write_back.banks),
            self._writes.eq(write_back.writes),
        ]
        _connect_read(m, memories[Memory.WRITES], walker, walker.read_data)
        connect(m, walker.steps, write_back.steps)
        connect(m, flipped(self.results), write_back.results)
        self._outside += [walker.outside, write_back.outside]
        self._conflicts.append(write_back.conflict)
        return [queue.level == 0, walker.idle, write_back.idle]

    def _build_transfers(
        self, m: Module, processor: Processor, banks: ActivationBanks, loader: Loader
    ) -> None:
        """Loads, stores and fills."""
        m.submodules.storer = storer = Storer(self.config)
        m.submodules.filler = filler = Filler(self.config)
        for port, unit in (("loads", loader), ("stores", storer), ("fills", filler)):
            connect(m, getattr(processor, port), unit.jobs)
        connect(m, loader.transfer, flipped(self.read_transfer))
        connect(m, storer.transfer, flipped(self.write_transfer))
        connect(m, flipped(self.read_words), loader.words)
        connect(m, storer.words, flipped(self.write_words))
        for_banks = loader.loads.payload.memory == Memory.ACTIVATIONS
        m.d.comb += [
            storer.done.eq(self.write_done),
            loader.loads.ready.eq(~for_banks | ~(self._writes | filler.fills)),
            banks.load.eq(loader.loads.payload),
            banks.load_valid.eq(loader.loads.valid & loader.loads.ready),
            banks.row.eq(storer.row),
            banks.row_read.eq(storer.read_enable),
            storer.bank_words.eq(banks.words),
            banks.fill_row.eq(filler.row),
            banks.fills.eq(filler.fills),
            processor.stores_idle.eq(storer.idle & ~filler.fills),
        ]

    def _build_faults(self, m: Module, refused: Value) -> None:
        """The fault of the lowest code; registers shorten the path from all lanes.

        A unit is idle a cycle after its last access at the earliest, so that no run ends well
        between an access and its fault.
        """
        beyond, clash = Signal(), Signal()
        m.d.sync += [
            beyond.eq(Cat(*self._outside).any()),
            clash.eq(Cat(*self._conflicts).any()),
        ]
        m.d.comb += self.fault.eq(refused)
        with m.If(refused == Fault.NONE):
            with m.If(beyond):
                m.d.comb += self.fault.eq(Fault.BOUNDS)
            with m.Elif(clash):
                m.d.comb += self.fault.eq(Fault.CONFLICT)


def _connect_read(m: Module, memory: RowMemory, unit: Any, data_in: Any) -> None:
    """Connect a unit's ports `address` and `read_enable`, and its input of data."""
    m.d.comb += [
        memory.address.eq(unit.address),
        memory.read_enable.eq(unit.read_enable),
        data_in.eq(memory.entry),
    ]
