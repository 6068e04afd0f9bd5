"""What an integrator must know of an engine's streams, as a document with the engine's numbers."""

from qcnpe.spec.commands import COMMAND_BITS, PARAMETER_BITS
from qcnpe.spec.config import OPERAND_BITS, REGISTER_QUEUE_DEPTH, EngineConfig

_PACKETS = """\
## Packets and bytes

No input has TKEEP, TSTRB or TLAST: every byte of a beat counts, and the commands say how many beats
belong to a tile. Packets may end after any beat. A width converter in front of an input must

- be given whole words of that input in each packet, and
- obey TKEEP, so that the empty rest of a packet's last beat does not become a word: an odd number
  of parameter words (32 bits) ends with half a beat on a bus of 64 bits.

On a bus without TKEEP send an even number of parameter words, or convert elsewhere: there is no
word that the engine ignores. A packet of results is a tile; `tlast` is high with its last column.
All bytes of its beats count; a converter to a bus that they do not fill must mark the rest by
TKEEP.
"""

_ORDER = """\
## Order

Each stream keeps its own order. Between streams the engine waits as follows:

- A beat of operands is taken when its command is in progress and both operands are there.
- A tile's last beat waits until the tile's parameter words are queued, and until there is room for
  its results.
- A table is loaded when all earlier results have been taken.

Managers that run side by side, one for each stream, need no care. One that sends one stream after
the other must not run ahead of the queues, or it waits for ever: with {depth} beats in each operand
queue, a longer tile whose activations are all sent before its first weight stops the engine.
Either change between activations and weights at least every {depth} beats, or generate the engine
with `--fifo-depth` of at least the beats of the longest tile. Then "command, parameters,
activations, weights", tile by tile, always goes on, if results are taken before {results} columns
wait, and before the knots of a table are sent. Queues longer than {registers} words are memories.
"""

_HALT = """\
## Bad commands and resets

A bad command halts the engine, and so does `halt` in the control register. From then on

- no further command is carried out; a tile that has not had its last beat is given up,
- every input word is taken and discarded, so that transfers that were begun come to their end,
- the results of tiles that had their last beat leave as usual, whole packets; an offered beat is
  never taken back,
- `halted` in the status register is 1, and `error` with its cause after a bad command.

To go on: stop sending, wait until what was begun has been taken and `busy` is 0, write `resume`.
The engine is then as after `aresetn`, but for counters, precision, ceiling, and the table, which
must be loaded again if its load was cut off. `resume` waits until nothing is left inside; with
`halt` in the same write it is a whole reset of an engine to which nobody is sending. An engine
that waits for words that never come is reset in the same way.
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
            order,
            _HALT.rstrip("\n"),
            "",
        ]
    )
