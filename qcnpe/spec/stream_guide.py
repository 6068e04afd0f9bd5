"""The guide to an engine's streams for integrators, with the engine's numbers."""

from qcnpe.spec.commands import COMMAND_BITS, PARAMETER_BITS
from qcnpe.spec.config import OPERAND_BITS, REGISTER_QUEUE_DEPTH, EngineConfig

_PACKETS = """\
## Packets and bytes

No input has TKEEP, TSTRB or TLAST: every byte of a beat is valid, and the commands give the number
of beats of a tile. Packets may end after any beat. A width converter in front of an input must

- receive whole words of that input in each packet, and
- respect TKEEP, so that the empty rest of a packet's last beat does not become a word: an odd
  number of parameter words (32 bits) ends with half a beat on a bus of 64 bits.

On a bus without TKEEP send an even number of parameter words, or convert elsewhere: there is no
word that the engine ignores. A packet of results is a tile; `tlast` is high with its last column.
All bytes of its beats are valid; a converter to a bus that they do not fill must mark the rest
with TKEEP.
"""

_RESULTS = """\
## Results

A lane of a result beat holds the 16-bit result in its lowest bits, then the narrow copies, the
widest first, then zeros up to whole bytes. Each field is at the same place whatever the command
asks for; fields that it does not ask for are zero: with `copies_only` the result itself, without
`copy_*` that copy. The maximum over a pooling window is taken before the activation function, so
that it is the largest result unless a table falls. It is in the lane of the window's first row;
lanes without a result are zero.
"""

_ORDER = """\
## Order

Each stream keeps its own order. Between streams the engine waits as follows:

- A beat of operands is taken when its command is in progress and both operands are valid.
- A tile's last beat waits until the tile's parameter words are queued, and until there is room for
  its results.
- A table is loaded when all earlier results have been taken.

Transmitters that run in parallel, one for each stream, cannot deadlock. A host that sends one
stream after the other must not exceed the queues, or it waits for ever: with {depth} beats in each
operand queue, a longer tile whose activations are all sent before its first weight stops the
engine. Either alternate between activations and weights at least every {depth} beats, or generate
the engine with a `--fifo-depth` of at least the beats of the longest tile. Then the order "command,
parameters, activations, weights", tile by tile, never deadlocks, if results are taken before
{results} columns wait, and before the knots of a table are sent. Queues deeper than {registers}
words are in memories.
"""

_HALT = """\
## Bad commands and resets

A bad command halts the engine, and so does `halt` in the control register. From then on

- no further command is executed; a tile whose last beat has not entered is abandoned,
- every input word is taken and discarded, so that transfers that have begun can finish,
- the results of tiles whose last beat has entered leave as usual, in whole packets; a beat that is
  valid stays valid until it is taken,
- `halted` in the status register is 1; after a bad command `error` is 1, too, and the error
  register holds the cause.

To resume: stop sending, wait until all transfers have finished and `busy` is 0, write `resume`.
The engine is then as after `aresetn`, except for the counters, the precision, the ceiling, and the
table, which must be loaded again if its load was interrupted. `resume` waits until the engine is
empty; with `halt` in the same write it is a complete reset of an engine to which no words are sent.
An engine that waits for words that never come is reset in the same way.
"""


def stream_guide(config: EngineConfig) -> str:
    """The streams of an engine as a Markdown document.

    Parameters
    ----------
    config : the engine
    """
    tile = "of a tile's command"
    knots = config.table_segments + 1
    rows = (
        ("commands", COMMAND_BITS, "a command", "", config.fifo_depth),
        (
            "activations",
            OPERAND_BITS * config.rows,
            f"{OPERAND_BITS} bits for each row, row 0 lowest",
            f"`beats` {tile}",
            config.fifo_depth,
        ),
        (
            "weights",
            OPERAND_BITS * config.cols,
            f"{OPERAND_BITS} bits for each column, column 0 lowest",
            f"`beats` {tile}",
            config.fifo_depth,
        ),
        (
            "parameters",
            PARAMETER_BITS,
            "a neuron's parameters, or a knot of the table",
            f"`cols` {tile}, {knots} of a table's",
            config.parameter_depth,
        ),
        (
            "results",
            config.result_lane_bits * config.rows,
            f"a column: {config.result_lane_bits} bits for each row, row 0 lowest",
            f"`cols` {tile}",
            config.result_depth,
        ),
    )
    table = [f"| {' | '.join(map(str, row))} |" for row in rows]
    order = _ORDER.format(
        depth=config.fifo_depth, registers=REGISTER_QUEUE_DEPTH, results=config.result_depth
    )
    return "\n".join(
        [
            f"# Streams of an engine of {config.rows} x {config.cols} NCUs ({config.ncu})",
            "",
            "| stream | bits | a beat | beats | queued |",
            "| --- | --- | --- | --- | --- |",
            *table,
            "",
            _PACKETS,
            _RESULTS,
            order,
            _HALT.rstrip("\n"),
            "",
        ]
    )
