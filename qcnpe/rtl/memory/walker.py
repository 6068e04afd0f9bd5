"""The walk through taps or writes, tile by tile."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component
from qcnpe.rtl.memory.layouts import ADDRESS_BITS, address_bits, step_layout, walk_job
from qcnpe.rtl.memory.sums import add_places
from qcnpe.rtl.memory.walk_state import WalkState
from qcnpe.spec.memory.config import ENTRY_BITS, Memory, MemoryConfig


class Walker(Component):
    """Gives the entries of each tile in their order, with the offsets of their walks.

    It loads the walks of a `TILES`, then reads the entries again for each tile. With a step comes
    its lane entry, which is read from `LANES` so that it is valid at the memory's output while the
    step is.

    Latency: `sources + WALK_LATENCY` cycles from a job to its first step, see `spec.memory.timing`.
    Throughput: one step a cycle. The next job is taken in the cycle in which the last entry of this
    one moves on, `LOOK_AHEAD` cycles before its step is valid.

    Parameters
    ----------
    config : the memories
    memory : of the entries, TAPS or WRITES
    selector : name of the entry's field that selects the walk
    entry : layout of an entry
    weighted : a job has a row of weights, which goes with its steps and on with repetitions

    Ports
    -----
    jobs : in, stream of `walk_job(weighted=weighted)`, what to walk through
    address : out, `address_bits(config, memory)` bits, entry to read
    read_enable : out, 1 bit, read it
    read_data : in, 64 bits, the entry that was read
    lane_address : out, `address_bits(config, Memory.LANES)` bits, lane entry to read
    lane_enable : out, 1 bit, read it
    steps : out, stream of `step_layout(config, entry, weighted=weighted)`, entries with offsets
    outside : out, 1 bit, an address is beyond its memory, or an entry selects no walk
    idle : out, 1 bit, there is no job, and no step
    """

    def __init__(
        self,
        config: MemoryConfig,
        *,
        memory: Memory,
        selector: str,
        entry: data.StructLayout,
        weighted: bool,
    ) -> None:
        self.config, self.memory, self.selector, self.entry = config, memory, selector, entry
        self.weighted = weighted
        super().__init__(
            {
                "jobs": In(stream.Signature(walk_job(weighted=weighted))),
                "address": Out(address_bits(config, memory)),
                "read_enable": Out(1),
                "read_data": In(ENTRY_BITS),
                "lane_address": Out(address_bits(config, Memory.LANES)),
                "lane_enable": Out(1),
                "steps": Out(stream.Signature(step_layout(config, entry, weighted=weighted))),
                "outside": Out(1),
                "idle": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Three stages: an entry is read, its walk is looked up, its lane entry is read."""
        m = Module()
        job: Any = Signal(walk_job(weighted=self.weighted))
        entry: Any = data.View(self.entry, self.read_data)
        read_valid, read_moves, ends = Signal(), Signal(), Signal()
        loading, active = Signal(), Signal()
        self._build_reads(m, job, entry, read_valid, read_moves, ends, loading, active)
        odd, lane_base, last_tile = self._build_tiles(m, job, read_moves & entry.last)
        m.d.comb += ends.eq(read_moves & entry.last & last_tile)
        looked_up, valid, moves = self._build_look_up(m, entry, read_valid, loading, odd)
        m.d.comb += read_moves.eq(read_valid & moves)
        selector = getattr(entry, self.selector)
        lane_place = Signal(ADDRESS_BITS)
        with m.If(moves):
            m.d.sync += [
                valid.eq(read_valid),
                looked_up.entry.eq(entry),
                looked_up.job_last.eq(entry.last & last_tile),
                lane_place.eq(lane_base + selector),
            ]
            if self.weighted:
                m.d.sync += [
                    looked_up.weights.eq(job.weights),
                    looked_up.precision.eq(job.precision),
                ]
        self._build_steps(m, looked_up, valid, moves, lane_place)
        m.d.comb += [
            self.jobs.ready.eq(~active | ends),
            self.idle.eq(~active & ~valid & ~self.steps.valid),
        ]
        return m

    def _build_reads(  # type: ignore[no-untyped-def]
        self, m: Module, job, entry, read_valid, read_moves, ends, loading, active
    ) -> None:
        """Addresses: those of the walks, then those of the entries, again for each tile."""
        place, following = Signal(ADDRESS_BITS), Signal(ADDRESS_BITS)
        walks_left, reads = Signal(4), Signal()
        first = Signal()
        is_loading = walks_left != 0
        m.d.comb += [
            following.eq(Mux(read_valid & entry.last, job.entries, place)),
            reads.eq(active & (is_loading | first | (read_moves & ~ends))),
            self.address.eq(following),
            self.read_enable.eq(reads),
        ]
        with m.If(is_loading):
            m.d.comb += following.eq(place)
            m.d.sync += walks_left.eq(walks_left - 1)
            m.d.sync += place.eq(Mux(walks_left == 1, job.entries, place + 1))
            m.d.sync += first.eq(walks_left == 1)
        with m.Elif(reads):
            m.d.sync += [place.eq(following + 1), first.eq(0)]
        m.d.sync += loading.eq(is_loading)
        with m.If(reads & ~is_loading):
            m.d.sync += read_valid.eq(1)
        with m.Elif(read_moves):
            m.d.sync += read_valid.eq(0)
        with m.If(self.jobs.valid & self.jobs.ready):
            m.d.sync += [
                job.eq(self.jobs.payload),
                active.eq(1),
                walks_left.eq(self.jobs.payload.sources),
                place.eq(self.jobs.payload.walks),
            ]
        with m.Elif(ends):
            m.d.sync += active.eq(0)
        depth = self.config.addresses(self.memory)
        selects_none = getattr(entry, self.selector) >= job.sources
        with m.If((reads & (following >= depth)) | (read_moves & selects_none)):
            m.d.sync += self.outside.eq(1)

    def _build_tiles(self, m: Module, job: Any, tile_ends: Value) -> tuple[Value, Value, Value]:
        """Count tiles and repetitions."""
        tiles, repeat = Signal(16, init=1), Signal(16, init=1)
        odd, lane_base = Signal(), Signal(ADDRESS_BITS)
        with m.If(tile_ends):
            m.d.sync += [tiles.eq(tiles - 1), lane_base.eq(lane_base + job.sources)]
            with m.If(tiles == 1):
                m.d.sync += [tiles.eq(job.tiles), repeat.eq(repeat - 1)]
                m.d.sync += [odd.eq(~odd), lane_base.eq(job.lanes)]
                if self.weighted:
                    m.d.sync += job.weights.eq(job.weights + job.weight_step)
        with m.If(self.jobs.valid & self.jobs.ready):
            new = self.jobs.payload
            m.d.sync += [tiles.eq(new.tiles), repeat.eq(new.repeat), odd.eq(0)]
            m.d.sync += lane_base.eq(new.lanes)
            if self.weighted:
                m.d.sync += job.weights.eq(new.weights)
        return odd, lane_base, (tiles == 1) & (repeat == 1)

    def _build_look_up(
        self, m: Module, entry: Any, read_valid: Value, loading: Value, odd: Value
    ) -> tuple[Any, Signal, Signal]:
        """The walk of the entry that was read, or a walk that is loaded."""
        selector = getattr(entry, self.selector)
        walks = WalkState(self.config, depth=1 << len(selector))
        m.submodules.walks = walks
        number = Signal(len(selector))
        m.d.sync += number.eq(Mux(loading, number + 1, 0))
        looked_up: Any = Signal(step_layout(self.config, self.entry, weighted=self.weighted))
        valid, moves = Signal(name="looked_up_valid"), Signal(name="look_up_moves")
        m.d.comb += [
            walks.load.eq(loading),
            walks.walk.eq(self.read_data),
            walks.number.eq(Mux(loading, number, selector)),
            walks.use.eq(read_valid & moves),
            walks.odd.eq(odd),
        ]
        with m.If(moves):
            m.d.sync += looked_up.offset.eq(walks.offset)
        return looked_up, valid, moves

    def _build_steps(
        self, m: Module, looked_up: Any, valid: Signal, moves: Signal, lane_place: Signal
    ) -> None:
        """Add the entry's own offset, and read the lane entry."""
        step = self.steps.payload
        accepts = ~self.steps.valid | self.steps.ready
        total = add_places(m, "total", looked_up.offset, looked_up.entry, looked_up.offset.words)
        m.d.comb += [
            moves.eq(~valid | accepts),
            self.lane_address.eq(lane_place),
            self.lane_enable.eq(valid & accepts),
        ]
        with m.If(accepts):
            m.d.sync += [
                self.steps.valid.eq(valid),
                step.eq(looked_up),
                step.offset.bank.eq(total.bank),
                step.offset.row.eq(total.row),
            ]
        with m.If(self.lane_enable & (lane_place >= self.config.depth(Memory.LANES))):
            m.d.sync += self.outside.eq(1)
