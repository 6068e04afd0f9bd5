"""The timeline of tiles on the engine that reads streams."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from docs.waveforms.drawing import Box, Cell, Figure, Lane
from docs.waveforms.vcd import sampled
from qcnpe.compiler import compile_network
from qcnpe.driver import Driver
from qcnpe.rtl.sequencer import events_layout
from qcnpe.spec.commands import TileCommand, decode_commands
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.geometry import Geometry, Source
from qcnpe.spec.qnet import QuantLayer, QuantNet, WidthOperands
from sim.transport import SimulationTransport
from sim.waves import Waves

ENGINE = EngineConfig(rows=4, cols=4)
INPUTS = 8
WIDTHS = (16,) * 4 + (4,) * 8
"""Of the neurons: a tile of eight beats, then two of two beats."""

_ENGINE = "harness.engine"
_CORE = f"{_ENGINE}.engine"
_CLOCK = f"{_ENGINE}.aclk"
_REASONS = {
    "stalled_activations": "a",
    "stalled_weights": "w",
    "stalled_parameters": "p",
    "stalled_results": "r",
    "stalled_drain": "d",
}
"""Events of the sequencer, and the letters that stand for them."""


def network() -> QuantNet:
    """A dense layer with neurons of 16 and 4 bits."""
    rng = np.random.default_rng(1)
    shape = (len(WIDTHS), INPUTS)

    def operands(width: int) -> WidthOperands:
        half = 1 << (width - 1)
        return WidthOperands(
            weights=rng.integers(-half, half, shape).astype(np.int16),
            shift=np.full(len(WIDTHS), width, np.int8),
            input_shifts=(16 - width,),
        )

    layer = QuantLayer(
        name="dense",
        sources=(Source(Geometry.dense(INPUTS, len(WIDTHS))),),
        function="identity",
        table=None,
        bias=np.zeros(len(WIDTHS), np.int16),
        precision=np.array(WIDTHS, np.uint8)[:, None],
        input_unsigned=False,
        widths={width: operands(width) for width in sorted(set(WIDTHS), reverse=True)},
    )
    return QuantNet(name="tiles", input_fraction_bits=12, layers=(layer,), notes={})


def simulate(path: Path) -> list[int]:
    """Run a batch that fills the rows; returns the beats of each tile.

    Parameters
    ----------
    path : file of waveforms to write (.vcd)
    """
    net = network()
    inputs = np.random.default_rng(2).integers(-32768, 32768, (ENGINE.rows, INPUTS))
    program = compile_network(net, ENGINE, ENGINE.rows)
    with SimulationTransport(ENGINE, waves=Waves(path)) as engine:
        Driver(engine).run(program, inputs.astype(np.int16))
    layer = program.layers[0]
    commands = decode_commands(ENGINE, layer.commands)
    return [each.beats for each in commands if isinstance(each, TileCommand)]


def draw(path: Path, beats: Sequence[int]) -> Figure:
    """The figure.

    Parameters
    ----------
    path : the file of `simulate`
    beats : of each tile
    """
    ports = ("commands", "activations", "weights")
    handshakes = [f"{_ENGINE}.s_axis_{port}_t{end}" for port in ports for end in ("valid", "ready")]
    results = [f"{_ENGINE}.m_axis_results_t{end}" for end in ("valid", "ready")]
    operands = [f"{_CORE}.array.row_{row}.ncu_0.lane.lane.valid" for row in range(ENGINE.rows)]
    sums = [f"{_CORE}.array.row_{row}.done" for row in range(ENGINE.rows)]
    beat, events = f"{_CORE}.beat_valid", f"{_CORE}.events"
    names = [*handshakes, *results, *operands, *sums, beat, events]
    values = sampled(path, _CLOCK, names)

    def taken(pair: Sequence[str]) -> list[int]:
        return [
            valid & ready for valid, ready in zip(*(values[name] for name in pair), strict=True)
        ]

    reasons = [_reason(value) for value in values[events]]
    columns = [ENGINE.cols] * len(beats)
    lanes = [
        Lane("commands in", _counted(taken(handshakes[:2]), [1] * len(beats), number=False)),
        Lane("activations in", _counted(taken(handshakes[2:4]), beats)),
        Lane("weights in", _counted(taken(handshakes[4:]), beats)),
        Lane("beats of the array", _with_reasons(_counted(values[beat], beats), reasons)),
        *(
            Lane(f"row {row}: operands", _counted(values[name], beats))
            for row, name in enumerate(operands)
        ),
        *(
            Lane(f"row {row}: sums leave", _counted(values[name], columns))
            for row, name in enumerate(sums)
        ),
        Lane("results out", _counted(taken(results), columns)),
    ]
    first = taken(handshakes[:2]).index(1) - 1
    last = max(cycle for cycle, moved in enumerate(taken(results)) if moved)
    return Figure(
        title="Three tiles on an array of 4 x 4: beats, stalls, drain",
        lanes=lanes,
        windows=[(first, last + 2)],
        notes=(
            "Tile A: 8 operands at 16 bits, 8 beats. Tiles B and C: 8 operands at 4 bits, 2 beats"
            " each. 4 samples, 4 neurons a tile.",
            "Numbers: beats of a tile, or columns of its sums. Hatched: no beat, because it waits"
            " for w weights, a activations, d the drain of the tile before.",
        ),
    )


def _reason(events: int) -> str:
    """Why there is no beat; nothing if there is one, or no command."""
    seen = events_layout(ENGINE).from_bits(events)
    return next((letter for name, letter in _REASONS.items() if getattr(seen, name)), "")


def _counted(moved: Sequence[int], sizes: Sequence[int], *, number: bool = True) -> list[Cell]:
    """Boxes in the tone of their tile, with their number in it."""
    places = [(tile, place) for tile, size in enumerate(sizes) for place in range(size)]
    rest = iter(places)
    cells: list[Cell] = []
    for each in moved:
        tile, place = next(rest) if each else (0, 0)
        name = "ABC"[tile]
        cells.append(Box(str(place + 1) if number else name, name.lower()) if each else None)
    return cells


def _with_reasons(cells: Sequence[Cell], reasons: Sequence[str]) -> list[Cell]:
    return [
        Box(reason, "waits") if cell is None and reason else cell
        for cell, reason in zip(cells, reasons, strict=True)
    ]
