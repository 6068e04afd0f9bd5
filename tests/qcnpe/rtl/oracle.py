"""The base of unit tests: a test gives operations and an oracle of the expected outputs.

A test class derives from `OracleTest`, names its engines, builds its unit, makes operations and
says what each output must be. An operation is what the inputs hold for one cycle, by their names,
with dots for members and indices: `{"west.lane.valid": 1}`. The oracle returns a list as long as
the operations; entry n holds the outputs that it knows in cycle n.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pytest
from amaranth.hdl import ClockDomain, Module, Signal, Value
from amaranth.lib import data
from amaranth.sim import Simulator

from qcnpe.spec.config import EngineConfig

Operation = dict[str, int]
Outputs = list[dict[str, int]]


def resolve(unit: Any, path: str) -> Value:
    """The signal of a dotted name."""
    for name in path.split("."):
        if isinstance(unit, data.View):
            unit = unit[int(name) if name.isdigit() else name]
        elif isinstance(unit, Value):
            unit = unit[int(name)]
        else:
            unit = getattr(unit, name)
    return Value.cast(unit)


def play(
    unit: Any,
    operations: Sequence[Operation],
    watched: Iterable[str],
    *,
    reset_at: Sequence[int] = (),
) -> Outputs:
    """Hold each operation for one cycle; returns the watched outputs at the end of each cycle.

    Inputs that an operation leaves out are zero. In the cycles of `reset_at` the reset is on.
    """
    top = Module()
    domain: Any = ClockDomain("sync")
    top.domains.sync = domain
    top.submodules.unit = unit
    # Gives units without registers a clock to be tested with.
    alive = Signal()
    top.d.sync += alive.eq(1)
    names = list(watched)
    inputs = {path: resolve(unit, path) for operation in operations for path in operation}
    seen: Outputs = []

    async def drive(ctx: Any) -> None:
        held = dict.fromkeys(inputs, 0)
        outputs = [resolve(unit, name) for name in names]
        for cycle, operation in enumerate(operations):
            for path, signal in inputs.items():
                value = operation.get(path, 0)
                if value != held[path]:
                    ctx.set(signal, value)
                    held[path] = value
            ctx.set(domain.rst, int(cycle in reset_at))
            _, _, *values = await ctx.tick().sample(*outputs)
            seen.append(dict(zip(names, values, strict=True)))

    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    simulator.add_process(drive)
    while len(seen) < len(operations):
        simulator.advance()
    return seen


class OracleTest:
    """Base of the tests of one unit.

    Attributes
    ----------
    configs : engines whose unit is tested
    seeds : of the random operations
    """

    configs: tuple[EngineConfig, ...] = (EngineConfig(),)
    seeds: tuple[int, ...] = (1,)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Every test that asks for `config` and `seed` runs for all of them."""
        if "config" in metafunc.fixturenames:
            metafunc.parametrize("config", self.configs, ids=name_of)
        if "seed" in metafunc.fixturenames:
            metafunc.parametrize("seed", self.seeds)

    def build(self, config: EngineConfig) -> Any:
        """The unit."""
        raise NotImplementedError

    def operations(self, config: EngineConfig, rng: np.random.Generator) -> list[Operation]:
        """Inputs, cycle by cycle."""
        raise NotImplementedError

    def expect(self, config: EngineConfig, operations: list[Operation]) -> Outputs:
        """Expected outputs in each cycle."""
        raise NotImplementedError

    def test_follows_its_oracle(self, config: EngineConfig, seed: int) -> None:
        """In every cycle every output that the oracle gives has its value."""
        operations = self.operations(config, np.random.default_rng(seed))
        self.check(config, operations, f"seed {seed}")

    def check(self, config: EngineConfig, operations: list[Operation], where: str = "") -> None:
        """Play operations and compare."""
        expected = self.expect(config, operations)
        assert len(expected) == len(operations)
        watched = sorted({name for outputs in expected for name in outputs})
        assert watched, "the oracle says nothing"
        for cycle, (seen, known) in enumerate(
            zip(play(self.build(config), operations, watched), expected, strict=True)
        ):
            compared = {name: seen[name] for name in known}
            assert compared == known, f"{where}, cycle {cycle}: {operations[cycle]}"


def name_of(config: EngineConfig) -> str:
    """An engine's name in the list of tests."""
    widths = "_".join(map(str, config.precisions))
    return f"{config.ncu}-{config.rows}x{config.cols}-p{widths}-a{config.accumulator_bits}"


def late(outputs: Outputs, cycles: int) -> Outputs:
    """Outputs some cycles after their operations; the first ones are not checked."""
    return ([{} for _ in range(cycles)] + outputs)[: len(outputs)]


def lane_words(rng: np.random.Generator, count: int) -> list[int]:
    """16-bit lanes: many zeros, the ends of every width's range, and random ones."""
    corners = [0, 0x8000, 0x7FFF, 0xFFFF, 0x8080, 0x7F7F, 0x8888, 0x7777, 0xAAAA, 0x5555, 1]
    words = rng.integers(0, 1 << 16, count)
    return np.where(rng.random(count) < 0.5, rng.choice(corners, count), words).tolist()


def signed_values(rng: np.random.Generator, bits: int, count: int) -> list[int]:
    """Numbers of all magnitudes up to `bits` bits, the ends and the middle among them."""
    half = 1 << (bits - 1)
    corners = [-half, half - 1, -1, 0, 1]
    chosen = rng.integers(-half, half, count) >> rng.integers(0, bits, count)
    return np.where(rng.random(count) < 0.2, rng.choice(corners, count), chosen).tolist()
