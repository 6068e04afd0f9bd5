"""Places in the activation banks: no sum wraps around, and what cannot be accessed is told."""

from typing import Any, ClassVar

from amaranth.hdl import Cat, Module, Signal

from qcnpe.rtl.memory import bank_request, lane_places
from qcnpe.spec.memory.config import MemoryConfig
from tests.formal.bugs import Bug
from tests.formal.harness import free_inputs, implies
from tests.formal.proof import BOUNDED_WITH_MEMORY, INDUCTION, ProofTest
from tests.formal.small_memories import MemoryHarness, small_memories


class PlacesHarness(MemoryHarness):
    """Any lane entry with any offset, and the requests of its lanes to the banks."""

    def build(self, m: Module) -> None:
        """The sum is made again, wide enough for everything."""
        m.submodules.dut = dut = lane_places.LanePlaces(self.config)
        free_inputs(m, dut)
        sums, limits = [], []
        for lane, place in zip(dut.lanes.rows, dut.places, strict=True):
            total = lane.bank + dut.offset.bank
            wraps = total >= self.config.banks
            row = Signal(24)
            m.d.comb += row.eq(lane.row + dut.offset.row + dut.rows + wraps * dut.offset.words)
            bits = slice(0, self.config.row_bits)
            sums += [place.bank == total[: self.config.bank_bits], place.row == row[bits]]
            limits.append(place.outside == (row >= self.config.activation_rows))
        self.claim("a place is a sum", *sums)
        self.claim("what lies beyond is told", *limits)
        self.witness("a bank wraps around", dut.lanes.rows[0].bank > dut.places[0].bank)
        for writes in (False, True):
            self._build_request(m, dut.places, writes=writes)

    def _build_request(self, m: Module, places: Any, *, writes: bool) -> None:
        """One bank of any number."""
        name = "write" if writes else "read"
        m.submodules[name] = bank = bank_request.BankRequest(self.config, writes=writes)
        free_inputs(m, bank, but=[f"places__{n}" for n in range(len(places))] + ["places"])
        m.d.comb += bank.places.eq(places)
        here = [place.valid & bank.enable & (place.bank == bank.number) for place in places]
        served, told = [bank.hit == Cat(*here).any()], []
        for number, (place, hits) in enumerate(zip(places, here, strict=True)):
            alone = hits & ~bank.conflict
            served.append(implies(alone, bank.row == place.row))
            if writes:
                served.append(implies(alone, bank.word == bank.words[number]))
            for other, also in list(zip(places, here, strict=True))[:number]:
                clash = hits & also & (1 if writes else place.row != other.row)
                told.append(implies(clash, bank.conflict))
        self.claim(f"a {name} is what a lane asks for", *served)
        self.claim(f"a {name} that clashes is told", *told)
        self.witness(f"two lanes {name} without a conflict", here[0], *([] if writes else here[1:]))


class TestPlaces(ProofTest):
    sizes = (small_memories(2, 1),)
    engine, bug_engine = INDUCTION, BOUNDED_WITH_MEMORY
    depth = bug_depth = witness_depth = 2
    bugs: ClassVar = {
        "a place is a sum": Bug(lane_places, "straight + self.offset.words", "straight"),
        "what lies beyond is told": Bug(
            lane_places, "row >= self.config.activation_rows", "row > self.config.activation_rows"
        ),
        "a read is what a lane asks for": Bug(
            bank_request, "(hits & others).any()", "(hits & others).all()"
        ),
        "a read that clashes is told": Bug(
            bank_request, "(hits & others).any()", "(hits & others)[0]"
        ),
        "a write is what a lane asks for": Bug(
            bank_request, "join(here, list(self.words))", "join(here, list(self.words)[::-1])"
        ),
        "a write that clashes is told": Bug(
            bank_request, "(hits & (hits - 1)[: len(hits)]).any()", "hits.all() & ~hits[0]"
        ),
    }

    def harness(self, size: MemoryConfig) -> PlacesHarness:
        return PlacesHarness(size)
