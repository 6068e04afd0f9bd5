"""Entries of the tables that say where operands lie and where results go.

**Maps.** A map is what one layer makes at one operand width (or the network's input at one width).
Word k of position p lies in bank `p % banks`, row `first + (p // banks) * words + k`, where `first`
is the map's first row and `words` the words of a position. How positions follow from samples,
lines and margins of zeros is the compiler's choice.

**Walks.** A tile reads one map by each of its *sources*, and stores in one map for each *width*
that is wanted. `TILES` computes `tiles * repeat` tiles. Source s of tile t has

- the lane entry `lanes + (t % tiles) * sources + s`: where each row of the array begins,
- the walk entry `walks + s`: an offset (bank, row) common to all rows. It is `start` in the first
  `tiles` tiles, and `step` is added to it for each further `tiles` tiles.

The same holds for map m of the results, with `store_lanes`, `store_walks` and `maps`.

**Sum of places.** A place (bank, row) and an offset (bank, row) of the same walk, with its `words`,
sum up to the place

    bank = (place.bank + offset.bank) % banks
    row = place.row + offset.row + (words if place.bank + offset.bank >= banks else 0)

An offset is never negative, and its bank is below `banks`. Offsets are added to each other in the
same way. A row of the result at or beyond `activation_rows` is a fault (`BOUNDS`), if the lane is
valid.

**Fetch.** The taps of a tile are executed in order, from entry `taps` up to and including the one
marked `last`. A tap makes `count` activation beats: for word j of it, row r of the array reads the
place lane + walk + (tap.bank, tap.row) plus j rows; rows whose lane is not valid are zero. The sum
of `count` must be the `beats` of the command; if it is not, the run does not end well: the
compiler's fault, which the hardware need not find.

**Weights.** Each activation beat has a weight beat. Every tile begins at row `weights` of the
weight memory, plus `weight_step` rows for each `tiles` tiles before it. A tap whose `places` are 0
takes a row for each of its beats, from the present one on. All beats of any other tap unfold the
present row: with d = c, or d = c // p if the tap's `spread` is set, p being the operands in a word
at the command's precision, column c gets lane (d + turn) % 16 of the row if bit d of `places` is
set; else, and if there is no such lane or bit, zero. If `spread` is set, all but operand c % p of
the word is zero, too. After such a tap the present row is the next one if `next` is set. So a row
holds a kernel once that many columns and beats use, each of them shifted.

**Passes.** The lanes of one entry with the same `pass` are read (or written) in one cycle; a beat
takes `passes` cycles, from pass 0 on. Lanes of one pass that read one bank read the same row of it;
lanes of one pass that write have different banks. Anything else is a fault (`CONFLICT`). Offsets
are common to all lanes, so that they change neither.

**Parameters.** A tile has n = `cols` parameter words from word `parameters` on, or if
`parameter_period` is not 0, n = 2**(`parameter_period` - 1), of which column c has number c % n. If
`parameters_go_on` is set, they are n words further for each `tiles` tiles before.

**Store.** The results of a tile are beats, one for each column. The writes of a tile are executed
in order, from entry `writes` up to and including the one marked `last`, each on the current beat;
an entry marked `pop` ends the beat, the last entry always has it. Each entry

1. takes, in every row of the array, the field of `width` bits from the row's result (16 bits, or
   the narrow copy of that width),
2. puts it at bit `place` of the row's gathered word of that width, of which all other bits are
   kept,
3. if `bytes` is not 0, writes the gathered word at lane + walk + (write.bank, write.row) of map
   `map`: its low octet if bit 0 of `bytes` is set, its high octet if bit 1 is; rows whose lane is
   not valid do not write. Then the gathered words of that width are zero.

An entry of 16 bits has `place` 0 and `bytes` 3, so that 16-bit results need no register. After the
last entry of a tile nothing is left in the gathered words. Lanes of rows without a result, that is
all but the first of each pooling window, are not valid. An entry that writes takes `passes` cycles
of its lane entry, one that only gathers takes one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from qcnpe.spec.commands import Field, encode, encode_record
from qcnpe.spec.memory.config import MemoryConfig

BANK_BITS = 9
ROW_BITS = 16

FOLD_LANES = 16
"""Lanes of a row of weights that a tap can unfold."""

MAX_SOURCES = 15
"""Most sources that a tile reads."""

WALK_FIELDS = (
    Field("start_bank", BANK_BITS, "bank of the offset in the first tiles"),
    Field("start_row", ROW_BITS, "row of that offset"),
    Field("step_bank", BANK_BITS, "bank of what is added for each repetition"),
    Field("step_row", ROW_BITS, "row of what is added"),
    Field("words", 12, "words of a position of the map, added to the row on a carry of the bank"),
    Field("reserved", 2, "zero"),
)
"""A walk entry of 64 bits, lowest bits first."""

TAP_FIELDS = (
    Field("source", 4, "which of the tile's lane and walk entries is used"),
    Field("bank", BANK_BITS, "bank of the offset from the row's place"),
    Field("row", ROW_BITS, "row of that offset"),
    Field("count", 12, "consecutive words of the position that are read, at least 1"),
    Field("last", 1, "the tile's last tap"),
    Field("places", FOLD_LANES, "columns that get a lane of one row of weights; 0: see Weights"),
    Field("turn", 4, "lane of the first of them"),
    Field("spread", 1, "each of these columns is as many as a word has operands"),
    Field("next", 1, "the row of weights after this tap is the next one"),
)
"""A tap entry of 64 bits, lowest bits first."""

WRITE_FIELDS = (
    Field("map", 2, "which of the tile's lane and walk entries is used"),
    Field("width", 2, "index of the field's width in the engine's precisions"),
    Field("place", 4, "lowest bit of the field in the gathered word"),
    Field("bytes", 2, "octets of the gathered word that are written"),
    Field("bank", BANK_BITS, "bank of the offset from the row's place"),
    Field("row", ROW_BITS, "row of that offset"),
    Field("pop", 1, "the beat's last write"),
    Field("last", 1, "the tile's last write"),
    Field("reserved", 27, "zero"),
)
"""A write entry of 64 bits, lowest bits first."""


@lru_cache
def lane_fields(config: MemoryConfig) -> tuple[Field, ...]:
    """Fields of a lane entry, lowest bits first: the number of its passes, then every row's place.

    Row r of the array has the fields `valid_r`, `pass_r`, `bank_r` and `row_r`.
    """
    found = [Field("last_pass", config.pass_bits, "number of the last pass")]
    for row in range(config.engine.rows):
        found += [
            Field(f"valid_{row}", 1, "the row reads or writes; all else of it is zero if not"),
            Field(f"pass_{row}", config.pass_bits, "pass in which it does"),
            Field(f"bank_{row}", config.bank_bits, "bank of its place"),
            Field(f"row_{row}", config.row_bits, "row of its place"),
        ]
    return tuple(found)


@dataclass(frozen=True)
class Walk:
    """A walk entry; see `WALK_FIELDS`."""

    start_bank: int
    start_row: int
    step_bank: int
    step_row: int
    words: int

    def word(self) -> int:
        """Its 64 bits."""
        return encode_record(WALK_FIELDS, self)


@dataclass(frozen=True)
class Tap:
    """A tap entry; see `TAP_FIELDS`."""

    source: int
    bank: int
    row: int
    count: int
    last: bool
    places: int = 0
    turn: int = 0
    spread: bool = False
    next: bool = False

    def word(self) -> int:
        """Its 64 bits."""
        return encode_record(TAP_FIELDS, self)


@dataclass(frozen=True)
class Write:
    """A write entry; see `WRITE_FIELDS`."""

    map: int
    width: int
    place: int
    bytes: int
    bank: int
    row: int
    pop: bool
    last: bool

    def word(self) -> int:
        """Its 64 bits."""
        return encode_record(WRITE_FIELDS, self)


@dataclass(frozen=True)
class Lane:
    """The place of one row of the array, and the pass in which it is used."""

    pass_number: int
    bank: int
    row: int


def lane_word(config: MemoryConfig, lanes: Sequence[Lane | None]) -> int:
    """A lane entry; None stands for a row that is not valid.

    Parameters
    ----------
    config : the memories
    lanes : of the first rows of the array; the others are not valid
    """
    values = {"last_pass": max(lane.pass_number for lane in lanes if lane is not None)}
    for row, lane in enumerate(lanes):
        if lane is not None:
            values |= {
                f"valid_{row}": 1,
                f"pass_{row}": lane.pass_number,
                f"bank_{row}": lane.bank,
                f"row_{row}": lane.row,
            }
    return encode(lane_fields(config), values)
