"""The skew: delays lane n of a beat by n cycles."""

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.bank import Bank
from qcnpe.rtl.component import Component

BANK_WORDS = 4
"""Words of a bank of a lane's ring."""


class Skew(Component):
    """Delays lane n of a beat, and the control word that goes with it, by n cycles.

    A lane's words are not shifted: they are written into a ring of banks, and read from it n cycles
    later. All lanes write at the same place of their banks; rings of equal size share the number of
    the bank. The place advances only while a beat is in flight. A lane's layout must have a member
    `valid`.

    Latency: n cycles for lane n. Throughput: one beat a cycle, no flow control.

    Parameters
    ----------
    lane : layout of one lane
    lanes : number of lanes
    control : layout of the control word

    Ports
    -----
    valid : in, 1 bit, there is a beat in this cycle
    control : in, `control`, control word of the beat
    lanes : in, `lanes * lane.size` bits, lanes of the beat
    lane_out : out, `lanes * lane.size` bits, the lanes, each delayed by its number of cycles; valid
        if both the lane and its beat were
    control_out : out, `lanes * control.size` bits, the control word for each lane, delayed likewise
    """

    def __init__(self, *, lane: data.StructLayout, lanes: int, control: data.StructLayout) -> None:
        self._lane, self._count, self._control = lane, lanes, control
        super().__init__(
            {
                "valid": In(1),
                "control": In(control),
                "lanes": In(data.ArrayLayout(lane, lanes)),
                "lane_out": Out(data.ArrayLayout(lane, lanes)),
                "control_out": Out(data.ArrayLayout(control, lanes)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """A shift register of control words, a ring of words for each lane."""
        m = Module()
        valids = self._build_control(m)
        words = [self.lanes[0].as_value()]
        if self._count > 1:
            place = Signal(BANK_WORDS, init=1)
            moves = Signal()
            m.d.comb += moves.eq(Cat(valids[:-1]).any())
            with m.If(moves):
                m.d.sync += place.eq(place.rotate_left(1))
            for banks in range(1, -(-(self._count - 1) // BANK_WORDS) + 1):
                words += self._build_rings(m, banks, place, moves)
        for index, (valid, word) in enumerate(zip(valids, words, strict=True)):
            m.d.comb += self.lane_out[index].eq(self._lane(word))
            m.d.comb += self.lane_out[index].valid.eq(self._lane(word).valid & valid)
        return m

    def _build_control(self, m: Module) -> list[Value]:
        """A shift register of control words; returns the valid flag of each of its places."""
        valid, control = self.valid, self.control
        valids: list[Value] = [valid]
        m.d.comb += self.control_out[0].eq(control)
        for index in range(1, self._count):
            late_valid = Signal(name=f"valid_{index}")
            late = Signal(self._control, reset_less=True, name=f"control_{index}")
            m.d.sync += late_valid.eq(valid)
            with m.If(valid):
                m.d.sync += late.eq(control)
            m.d.comb += self.control_out[index].eq(late)
            valid, control = late_valid, late
            valids.append(valid)
        return valids

    def _build_rings(self, m: Module, banks: int, place: Signal, moves: Value) -> list[Value]:
        """Delayed words of the lanes whose rings have `banks` banks."""
        bank: Value = Const(1, 1)
        if banks > 1:
            bank = Signal(banks, init=1, name=f"bank_of_{banks}")
            with m.If(moves & place[-1]):
                m.d.sync += bank.eq(bank.rotate_left(1))
        words = []
        first = (banks - 1) * BANK_WORDS + 1
        for lane in range(first, min(first + BANK_WORDS, self._count)):
            # The word of `lane` cycles ago is this many places ahead of the place to write to.
            ahead = banks * BANK_WORDS - lane
            is_in_next = place[BANK_WORDS - ahead :].any() if ahead else 0
            read = Signal(banks, name=f"read_bank_{lane}")
            m.d.comb += read.eq(Mux(is_in_next, bank.rotate_left(1), bank))
            words.append(self._build_ring(m, lane, place, bank, place.rotate_left(ahead), read))
        return words

    def _build_ring(
        self, m: Module, lane: int, place: Value, bank: Value, read_place: Value, read_bank: Value
    ) -> Value:
        """The delayed word of one lane."""
        values = []
        for number in range(len(bank)):
            unit = Bank(width=self._lane.size, words=BANK_WORDS)
            m.submodules[f"bank_{lane}_{number}"] = unit
            m.d.comb += [
                unit.payload.eq(self.lanes[lane].as_value()),
                unit.push.eq(self.valid),
                unit.write_here.eq(bank[number]),
                unit.write_place.eq(place),
                unit.read_here.eq(read_bank[number]),
                unit.read_place.eq(read_place),
            ]
            values.append(unit.value)
        return reduce(or_, values)
