"""A start, bursts and an error on an autonomous engine."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from docs.waveforms.drawing import Box, Cell, Figure, Lane
from docs.waveforms.tile import network
from docs.waveforms.vcd import sampled
from qcnpe.generate import AUTONOMOUS_TOP
from qcnpe.placement.build import place_network
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import ToolError
from qcnpe.spec.memory.config import MemoryConfig
from qcnpe.spec.memory.image import Image
from qcnpe.spec.memory.registers import memory_registers
from qcnpe.spec.qnet import QuantNet
from sim.autonomous_bench import environment_of
from sim.cocotb_process import run_cocotb
from sim.runner import build_autonomous
from sim.waves import Waves

CONFIG = MemoryConfig.default(EngineConfig(rows=4, cols=4))

_CHANNELS = {
    "s_axil": {"aw": "addr", "w": "data", "b": "resp", "ar": "addr", "r": "data"},
    "m_axi": {"ar": "addr", "r": "data", "aw": "addr", "w": "data", "b": "resp"},
}
"""Channels of both buses, and what is shown of each."""

_MORE = ("m_axi_arlen", "m_axi_awlen", "m_axi_rlast", "m_axi_wlast", "m_axi_rresp", "busy", "irq")

_LEAST_WORDS = 4
"""Bus words of a burst in a figure."""

Values = Mapping[str, Sequence[int]]


def placed() -> tuple[QuantNet, NDArray[np.int16], Image]:
    """A network, samples of a run, and the network in the engine's memories."""
    net = network()
    inputs = np.random.default_rng(2).integers(-32768, 32768, (CONFIG.engine.rows, net.inputs))
    return net, inputs.astype(np.int16), place_network(net, CONFIG, len(inputs)).image


def simulate(path: Path) -> None:
    """Run the bench.

    Parameters
    ----------
    path : file of waveforms to write (.vcd)
    """
    waves = Waves(path)
    simulation = build_autonomous(CONFIG, waves=waves)
    with TemporaryDirectory(prefix="qcnpe-") as folder:
        results = run_cocotb(
            "docs.waveforms.autonomous_bench",
            simulation,
            Path(folder),
            environment_of(CONFIG),
            toplevel=AUTONOMOUS_TOP,
            waves=waves,
        ).read_text()
    if "<failure" in results:
        raise ToolError(f"the bench of waveforms has failed: {results}")


def draw(path: Path) -> dict[str, Figure]:
    """The figures by name.

    Parameters
    ----------
    path : the file of `simulate`
    """
    names = [
        f"{bus}_{channel}{end}"
        for bus, channels in _CHANNELS.items()
        for channel, shown in channels.items()
        for end in ("valid", "ready", shown)
    ]
    found = sampled(
        path,
        f"{AUTONOMOUS_TOP}.aclk",
        [f"{AUTONOMOUS_TOP}.{name}" for name in (*names, *_MORE)],
    )
    values = {name.rpartition(".")[2]: series for name, series in found.items()}
    starts = _writes(values, "start")
    ends = _rises(values["irq"])
    return {
        "start": _start(values, starts[0], ends[0]),
        "burst": _burst(values),
        "error": _error(values, ends[1]),
    }


def _start(values: Values, start: int, end: int) -> Figure:
    return Figure(
        title="A run of an autonomous engine: start, first reads, interrupt",
        lanes=[
            _registers(values, "aw", "b", "host writes"),
            _registers(values, "ar", "r", "host reads"),
            _level(values, "busy"),
            _requests(values, "ar"),
            _data(values, "r"),
            _data(values, "w"),
            _answers(values),
            _level(values, "irq"),
        ],
        windows=[(start - 2, start + 20), (end - 10, end + 13)],
        notes=(
            "The host writes the row of the first descriptor to start; the engine reads its"
            " descriptors (address+number of bus words).",
            "irq rises when the last word is acknowledged. The host reads why, and clears it.",
        ),
    )


def _burst(values: Values) -> Figure:
    return Figure(
        title="A read burst and a write burst of an autonomous engine",
        lanes=[
            _requests(values, "ar"),
            _data(values, "r"),
            _last(values, "r"),
            _requests(values, "aw"),
            _data(values, "w"),
            _last(values, "w"),
            _answers(values),
        ],
        windows=sorted(
            [
                _shortest(values, "ar", _lasts(values, "r")),
                _shortest(values, "aw", _handshakes(values, "b")),
            ]
        ),
        notes=(
            "Requests show the address and the number of bus words. Filled: taken; hatched: waits"
            " for ready.",
            "The memory of this simulation rests in random cycles.",
        ),
    )


def _error(values: Values, end: int) -> Figure:
    bad = next(cycle for cycle, response in enumerate(values["m_axi_rresp"]) if response)
    return Figure(
        title="An error response ends a run of an autonomous engine",
        lanes=[
            _requests(values, "ar"),
            _data(values, "r"),
            _last(values, "r"),
            _level(values, "busy"),
            _level(values, "irq"),
            _registers(values, "ar", "r", "host reads"),
            _registers(values, "aw", "b", "host writes"),
        ],
        windows=[(bad - 8, bad + 10), (end - 8, end + 15)],
        notes=(
            "The memory answers a word of the input with SLVERR (!). Words on the way are still"
            " taken, and dropped.",
            "irq rises when the bus is idle. The host reads status, fault and cause, and clears"
            " the cause; the next start works.",
        ),
    )


def _registers(values: Values, channel: str, answer: str, name: str) -> Lane:
    """Registers that the host reaches, by name, from the address to the answer."""
    names = {entry.offset: entry.name for entry in memory_registers(CONFIG)}
    tone = "a" if channel == "aw" else "c"
    valid, address = (values[f"s_axil_{channel}{end}"] for end in ("valid", "addr"))
    ends = values[f"s_axil_{answer}valid"]
    cells: list[Cell] = []
    box: Box | None = None
    for cycle, ended in enumerate(ends):
        if box is None and valid[cycle]:
            box = Box(names[address[cycle]], tone)
        cells.append(box)
        box = None if ended else box
    return Lane(name, cells, joined=True)


def _level(values: Values, name: str) -> Lane:
    return Lane(name, [bool(value) for value in values[name]])


def _requests(values: Values, channel: str) -> Lane:
    """Addresses and lengths of bursts."""
    prefix = f"m_axi_{channel}"
    series = (values[f"{prefix}{end}"] for end in ("valid", "ready", "addr", "len"))
    cells: list[Cell] = [
        Box(f"{address:x}+{length + 1}", "b" if ready else "waits") if valid else None
        for valid, ready, address, length in zip(*series, strict=True)
    ]
    return Lane(prefix, cells)


def _data(values: Values, channel: str) -> Lane:
    """Words of bursts, numbered within each burst; a failed one says so."""
    prefix = f"m_axi_{channel}"
    valid, ready, last = (values[f"{prefix}{end}"] for end in ("valid", "ready", "last"))
    responses = values["m_axi_rresp"] if channel == "r" else [0] * len(valid)
    cells: list[Cell] = []
    number = 1
    for cycle, sent in enumerate(valid):
        tone = "bad" if responses[cycle] else "c" if ready[cycle] else "waits"
        cells.append(Box("!" if responses[cycle] else str(number), tone) if sent else None)
        if sent and ready[cycle]:
            number = 1 if last[cycle] else number + 1
    return Lane(prefix, cells)


def _answers(values: Values) -> Lane:
    return Lane("m_axi_b", [Box("ok", "c") if valid else None for valid in values["m_axi_bvalid"]])


def _writes(values: Values, register: str) -> list[int]:
    """Cycles in which the host's write to a register is taken."""
    offset = next(entry.offset for entry in memory_registers(CONFIG) if entry.name == register)
    series = (values[f"s_axil_aw{end}"] for end in ("valid", "ready", "addr"))
    return [
        cycle
        for cycle, (valid, ready, address) in enumerate(zip(*series, strict=True))
        if valid and ready and address == offset
    ]


def _rises(levels: Sequence[int]) -> list[int]:
    return [cycle for cycle in range(1, len(levels)) if levels[cycle] > levels[cycle - 1]]


def _last(values: Values, channel: str) -> Lane:
    """When the last word of a burst is on the bus."""
    name = f"m_axi_{channel}last"
    pairs = zip(values[name], values[f"m_axi_{channel}valid"], strict=True)
    return Lane(name, [bool(last and valid) for last, valid in pairs])


def _handshakes(values: Values, channel: str) -> list[int]:
    """Cycles in which a word or a request is taken."""
    pairs = zip(values[f"m_axi_{channel}valid"], values[f"m_axi_{channel}ready"], strict=True)
    return [cycle for cycle, (valid, ready) in enumerate(pairs) if valid and ready]


def _lasts(values: Values, channel: str) -> list[int]:
    """Cycles in which the last word of a burst is taken."""
    last = values[f"m_axi_{channel}last"]
    return [cycle for cycle in _handshakes(values, channel) if last[cycle]]


def _shortest(values: Values, channel: str, ends: Sequence[int]) -> tuple[int, int]:
    """Cycles around the burst of some words that is over soonest after its request."""
    starts = _handshakes(values, channel)
    lengths = values[f"m_axi_{channel}len"]
    spans = [
        (end - start, start, end)
        for start, end in zip(starts, ends, strict=True)
        if lengths[start] + 1 >= _LEAST_WORDS
    ]
    _, start, end = min(spans)
    return start - 2, end + 3
