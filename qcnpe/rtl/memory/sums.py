"""Sums of places in the activation banks, see `spec.memory.tables`."""

from dataclasses import dataclass

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data

from qcnpe.rtl.memory.layouts import OFFSET_ROW_BITS


@dataclass(frozen=True)
class Place:
    """A place, or an offset: a bank, and a row."""

    bank: Value
    row: Value


def add_places(m: Module, name: str, place: data.View, offset: data.View, words: Value) -> Place:
    """The sum of two offsets of one walk: `words` more rows if the banks wrap around.

    Parameters
    ----------
    m, name : module, and prefix of the names of the signals that are added to it
    place, offset : have a bank and a row
    words : of a position of the map
    """
    bank = Signal(len(place.bank) + 1, name=f"{name}_bank")
    row = Signal(OFFSET_ROW_BITS, name=f"{name}_row")
    m.d.comb += [
        bank.eq(place.bank + offset.bank),
        row.eq(place.row + offset.row + Mux(bank[-1], words, 0)),
    ]
    return Place(bank[:-1], row)
