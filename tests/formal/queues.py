"""Invariants of every queue: the places of its ring counters, and its valid words."""

from amaranth.hdl import Cat, Const, Mux, Value

from qcnpe.rtl.fifo import BANK_WORDS, SLICE_BITS
from tests.formal.harness import Inside


def is_sound(inside: Inside, name: str, width: int, depth: int) -> Value:
    """The distance of the ring counters of a slice is the number of words in the queue."""
    level = inside[f"{name}.level"]
    slices = (
        is_sound_slice(inside, name, low, depth, level) for low in range(0, width, SLICE_BITS)
    )
    return Cat(level <= depth, *slices).all()


def is_sound_slice(inside: Inside, name: str, part: object, depth: int, level: Value) -> Value:
    """The distance of the ring counters of a slice is a number of words."""
    written, produce = _place(inside, f"{name}.write_{part}", depth)
    read, consume = _place(inside, f"{name}.read_{part}", depth)
    end = consume + level
    return written & read & ((end == produce) | (end == produce + depth))


def held_words(inside: Inside, name: str, depth: int) -> list[tuple[Value, Value]]:
    """(it is in the queue, the register's value) for each place of a queue of one slice."""
    _, consume = _place(inside, f"{name}.read_0", depth)
    level = inside[f"{name}.level"]
    found = []
    for place in range(depth):
        distance = Mux(consume > place, place + depth - consume, place - consume)
        word = inside[f"{name}.bank_0_{place // BANK_WORDS}.word_{place % BANK_WORDS}"]
        found.append((distance.as_unsigned() < level, word))
    return found


def _place(inside: Inside, ring: str, depth: int) -> tuple[Value, Value]:
    """Whether a ring counter points to one of a queue's words, and to which one."""
    place = inside[f"{ring}_place"]
    bank = inside[f"{ring}_bank"] if depth > BANK_WORDS else Const(1, 1)
    hits = [bank[word // BANK_WORDS] & place[word % BANK_WORDS] for word in range(depth)]
    single = Cat(sum(bits[n] for n in range(len(bits))) == 1 for bits in (place, bank))
    number = sum(Mux(hit, word, 0) for word, hit in enumerate(hits))
    return single.all() & Cat(*hits).any(), Value.cast(number)
