"""The structural NCU: its plan and its netlist are exact, and its energies are plausible."""

from dataclasses import replace

import numpy as np
import pytest

from qcnpe.spec.config import EngineConfig
from synth import ncu_bench
from synth.errors import SynthesisError
from synth.flow import own_cells
from synth.measure import NcuFigures, make_bench, measure_ncu
from synth.ncu_bench import NcuBench
from synth.partial_products import ProductPlan, reverse_fields
from synth.structural import StructuralNcu
from synth.traces import Tile, load
from synth.wires import NO_WIRES

FUSED = EngineConfig()
PLAIN = EngineConfig(ncu="plain16", precisions=(16,))
GATED = EngineConfig(ncu="gated")
CORNERS = (0, 1, 0x7FFF, 0x8000, 0xFFFF, 0x5555, 0xAAAA, 0x0101, 0x8080, 0x7F7F, 0x8888)


def fields(lane: int, precision: int, unsigned: bool) -> list[int]:
    """The operands of a lane, calculated without the code under test."""
    values = []
    for place in range(0, 16, precision):
        value = (lane >> place) % (1 << precision)
        negative = not unsigned and value >= 1 << (precision - 1)
        values.append(value - (1 << precision) if negative else value)
    return values


def dot(left: int, right: int, precision: int, unsigned: bool) -> int:
    """Sum of products of two lanes."""
    pairs = zip(fields(left, precision, unsigned), fields(right, precision, False), strict=True)
    return sum(a * w for a, w in pairs)


@pytest.mark.parametrize("config", [FUSED, PLAIN], ids=["fused", "plain16"])
def test_plan_sums_products_in_every_mode(config: EngineConfig) -> None:
    plan = ProductPlan.of(config)
    rng = np.random.default_rng(1)
    pairs = [(a, w) for a in CORNERS for w in CORNERS]
    pairs += [tuple(pair) for pair in rng.integers(0, 1 << 16, (100, 2)).tolist()]
    for number, mode in enumerate(plan.modes):
        for a, w in pairs:
            (reversed_weight,) = reverse_fields([w], mode.precision)
            wanted = dot(a, w, mode.precision, mode.unsigned) << (16 - mode.precision)
            assert plan.value(number, a, reversed_weight) == wanted % (1 << 40), (mode, a, w)


@pytest.mark.parametrize("bits", [2, 4])
def test_narrow_plan_is_exact_for_all_operands(bits: int) -> None:
    plan = ProductPlan(precisions=(bits, bits // 2), bits=bits, accumulator_bits=2 * bits + 3)
    for number, mode in enumerate(plan.modes):
        for a in range(1 << bits):
            for w in range(1 << bits):
                (reversed_weight,) = reverse_fields([w], mode.precision, bits)
                wanted = _narrow_dot(a, w, mode.precision, mode.unsigned, bits)
                places = bits - mode.precision
                assert plan.value(number, a, reversed_weight) == (wanted << places) % (
                    1 << plan.accumulator_bits
                )


def _narrow_dot(left: int, right: int, precision: int, unsigned: bool, bits: int) -> int:
    count = bits // precision
    activations = fields(left, precision, unsigned)[:count]
    weights = fields(right, precision, False)[:count]
    return sum(a * w for a, w in zip(activations, weights, strict=True))


@pytest.fixture(scope="module", params=[FUSED, PLAIN, GATED], ids=lambda config: config.ncu)
def bench(request: pytest.FixtureRequest) -> NcuBench:
    """A mapped structural NCU."""
    return make_bench(StructuralNcu(request.param), own_cells())


def corner_tiles(config: EngineConfig) -> list[Tile]:
    """All corners against each other, and random lanes, signed and unsigned, at every width."""
    rng = np.random.default_rng(2)
    left, right = (part.ravel() for part in np.meshgrid(CORNERS, CORNERS))
    tiles = []
    for precision in config.precisions:
        # What is packed for `gated` has zeros below the operand.
        kept = 0xFFFF << (16 - precision) if config.kind.is_gated else 0xFFFF
        for unsigned in (False, True):
            noise = rng.integers(0, 1 << 16, (2, 40))
            activations = (np.concatenate([left, noise[0]]) & kept).astype(np.uint16)
            weights = (np.concatenate([right, noise[1]]) & kept).astype(np.uint16)
            pairs = config.pairs(precision)
            tiles.append(Tile(precision, unsigned, pairs, activations, weights))
            tiles += [
                Tile(precision, unsigned, pairs, activations[n : n + 1], weights[n : n + 1])
                for n in rng.integers(0, len(weights), 8).tolist()
            ]
    return tiles


def test_mapped_ncu_sums_exactly(bench: NcuBench) -> None:
    bench.run(corner_tiles(bench.config))  # the bench compares every sum


def test_a_wrong_netlist_is_seen(bench: NcuBench, monkeypatch: pytest.MonkeyPatch) -> None:
    circuit = bench.circuit
    tree = [n for n, cell in enumerate(circuit.netlist.placed) if ".add_" in cell.name]
    victim = circuit.netlist.placed[tree[40]]
    swapped = {**victim.pins, "A": 0}
    placed = [
        replace(cell, pins=swapped) if cell is victim else cell for cell in circuit.netlist.placed
    ]
    changed = replace(circuit.netlist, placed=tuple(placed))
    broken = type(circuit)(changed, own_cells().library, NO_WIRES)
    wrong = NcuBench(broken, bench.config, bench.tree)
    with pytest.raises(SynthesisError, match="the netlist is wrong"):
        wrong.run(corner_tiles(bench.config))
    monkeypatch.setattr(ncu_bench, "path_ns", lambda circuit: 3.0)  # as in a slow library
    with pytest.raises(SynthesisError, match=r"longest path takes 3,000 ps, .* 2,000 ps; use a"):
        wrong.run(corner_tiles(bench.config))


@pytest.fixture(scope="module")
def fused() -> NcuFigures:
    """Figures of the fused NCU on the committed trace."""
    return measure_ncu(StructuralNcu(FUSED), own_cells(), load())


def test_narrow_macs_cost_less_than_the_bits_they_save(fused: NcuFigures) -> None:
    # A multiplier alone would go with the square of the width: 4, 16, 64 times. Registers and clock
    # go with the width, 2, 4, 8 times. The NCU is between; at 2 bits a tile of C1 is 4 beats, and
    # its ends cost.
    wide = fused.dense[16].total_fj
    for width, least in ((8, 2.6), (4, 7.0), (2, 14.0)):
        assert wide > least * fused.dense[width].total_fj * width / 16, width


def test_idle_and_zero_cycles_cost_little(fused: NcuFigures) -> None:
    assert fused.idle.total_fj < fused.zero_beat.total_fj < 0.5 * fused.dense[2].total_fj
    assert fused.idle.parts.get("tree", 0) == 0
    assert fused.idle.parts["leakage"] == fused.dense[16].parts["leakage"] > 0


def test_accumulator_and_operand_registers_are_apart(fused: NcuFigures) -> None:
    # 46 of the 89 flip-flops accumulate; an NCU with nothing to do holds them behind a gate.
    assert {"accumulator", "registers"} <= set(fused.dense[16].parts)
    assert fused.idle.parts["accumulator"] < 0.1 * fused.dense[16].parts["accumulator"]


def test_cost_of_a_multiplier_is_that_of_published_ones(fused: NcuFigures) -> None:
    # Horowitz, ISSCC 2014, 45 nm, 0.9 V: 8-bit multiplier 0.2 pJ, 32-bit 3.1 pJ; 16 bit between,
    # about a quarter of 32 bit. With registers, accumulator and 1.1 V: 0.5 to 3 times that.
    published = 3100 / 4 * (1.1 / 0.9) ** 2
    assert 0.5 * published < fused.dense[16].total_fj < 3 * published
