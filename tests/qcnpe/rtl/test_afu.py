"""The activation function unit against fractions, with its latencies of two and five cycles."""

import pytest
from amaranth.hdl import Module, signed
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.afu import Afu
from qcnpe.rtl.component import Component
from qcnpe.rtl.interpolator import Interpolator, KnotRegisters, knot_write_layout
from qcnpe.spec.activation import CURVES, table_knots
from qcnpe.spec.config import EngineConfig
from tests.qcnpe import exact
from tests.qcnpe.rtl.oracle import Operation, OracleTest, late, signed_values

ENGINES = (
    EngineConfig(accumulator_bits=40),
    EngineConfig(accumulator_bits=24, table_segments=8),
    EngineConfig(accumulator_bits=48, table_segments=256),
    EngineConfig(ncu="dsp", accumulator_bits=40),
    EngineConfig(ncu="dsp", accumulator_bits=24, table_segments=8),
)


def neuron(config, total, rng):
    """Shifts that bring most sums near 16 bits, and some that do not."""
    near = max(abs(total).bit_length() - 15 + int(rng.integers(-2, 3)), -16)
    shift = near if rng.random() < 0.8 else int(rng.integers(-16, 48))
    return {
        "accumulator": total,
        "neuron.bias": signed_values(rng, 16, 1)[0],
        "neuron.shift": shift + 16,
    }


def pre_activation(operation, function="identity"):
    """Value of a neuron before its table."""
    return exact.result(
        operation["accumulator"],
        bias=operation["neuron.bias"],
        shift=operation["neuron.shift"] - 16,
        function=function,
    )


class TestAfu(OracleTest):
    """Tiles of one row without and with maxima; where a table is used, see `TestInterpolator`."""

    configs = ENGINES

    def build(self, config):
        return Afu(config)

    def operations(self, config, rng):
        """Tiles one after another, with pauses in them: function and window change with the first.

        From the row above comes the maximum of a column two cycles after its sum.
        """
        operations: list[Operation] = []
        while len(operations) < 300:
            cols = int(rng.integers(1, 6))
            tile = {
                "tile.function": int(rng.integers(2)),
                "tile.pool": int(rng.integers(3)),
                "tile.copies.wanted.result": int(rng.integers(2)),
            }
            sums = signed_values(rng, config.accumulator_bits, cols)
            for col, total in enumerate(sums):
                operations.append({**neuron(config, total, rng), **tile, "valid": 1})
                operations[-1]["neuron.first"] = int(col == 0)
                while rng.random() < 0.2:
                    operations.append(neuron(config, total, rng))
        operations += [{}] * Afu.LATENCY
        place = int(rng.integers(4))
        above = signed_values(rng, 16, len(operations))
        return [
            {**operation, "place": place, "above": value}
            for operation, value in zip(operations, above, strict=True)
        ]

    def expect(self, config, operations):
        above = [operation["above"] for operation in operations[Afu.LATENCY :]]
        outputs = []
        for operation, maximum in zip(operations, [*above, 0, 0], strict=True):
            outputs.append(self.result(operation, maximum))
        return late(outputs, Afu.LATENCY + config.is_staged)

    def result(self, operation, above):
        if not operation.get("valid"):
            return {"result_valid": 0}
        function = ("identity", "relu")[operation["tile.function"]]
        value, number = pre_activation(operation, function), operation["place"]
        rows = 1 << operation["tile.pool"]
        if number % rows:
            value = max(value, above)
        if (number + 1) % rows:
            return {"result_valid": 0}
        wanted = operation["tile.copies.wanted.result"]
        return {"result_valid": 1, "result": value, "copies.wanted.result": wanted}

    @pytest.mark.parametrize("ncu", ["fused", "dsp"])
    @pytest.mark.parametrize("bits", [24, 48])
    def test_every_shift_at_the_ends_of_the_accumulator(self, bits, ncu):
        config = EngineConfig(accumulator_bits=bits, ncu=ncu)
        operations = [
            {
                "valid": 1,
                "accumulator": total,
                "neuron.bias": bias,
                "neuron.shift": shift,
                "tile.function": 0,
                "tile.pool": 0,
                "tile.copies.wanted.result": 1,
                "neuron.first": 1,
                "place": 0,
                "above": 0,
            }
            for shift in range(64)
            for total in (*exact.bounds(bits), -1, 1)
            for bias in exact.bounds(16)
        ]
        self.check(config, [*operations, *[{"above": 0}] * Afu.LATENCY])


class TestMaximum(OracleTest):
    """What a row passes to the next one: three cycles after its sum, and until the next one."""

    configs = (EngineConfig(), EngineConfig(ncu="dsp"))

    def build(self, config):
        return Afu(config)

    def operations(self, config, rng):
        """A tile of windows of four rows, in the second row."""
        sums = signed_values(rng, config.accumulator_bits, 60)
        above = signed_values(rng, 16, 60)
        return [
            {
                **neuron(config, total, rng),
                "valid": int(number == 0 or rng.random() < 0.7),
                "neuron.first": int(number == 0),
                "tile.pool": 2,
                "place": 1,
                "above": value,
            }
            for number, (total, value) in enumerate(zip(sums, above, strict=True))
        ]

    def expect(self, config, operations):
        outputs, held = [], {}
        for operation, later in zip(operations, operations[Afu.LATENCY :], strict=False):
            if operation["valid"]:
                held = {"below": max(pre_activation(operation), later["above"])}
            outputs.append({**held, "result_valid": 0})
        return late(outputs + [{}] * Afu.LATENCY, Afu.LATENCY + 1)


class TestTile(OracleTest):
    """Parameters and tiles reach the next row one cycle later and stay until the next ones."""

    configs = (EngineConfig(), EngineConfig(ncu="dsp"))

    def build(self, config):
        return Afu(config)

    def operations(self, config, rng):
        names = ("valid", "neuron.first", "neuron.bias", "neuron.shift", "tile.function")
        return [dict(zip(names, rng.integers(0, 2, 5).tolist(), strict=True)) for _ in range(40)]

    def expect(self, config, operations):
        held = dict.fromkeys(("neuron.bias", "neuron.shift", "tile.function"), 0)
        outputs = []
        for operation in operations:
            if operation["valid"]:
                held |= {name: operation[name] for name in held if name.startswith("neuron")}
                if operation["neuron.first"]:
                    held["tile.function"] = operation["tile.function"]
            below = {name.replace(".", "_below.", 1): value for name, value in held.items()}
            outputs.append(below)
        return late(outputs, 1)


class TableBench(Component):
    """The knots' registers and an interpolator."""

    def __init__(self, config):
        self.config = config
        super().__init__(
            {
                "write": In(knot_write_layout(config)),
                "valid": In(1),
                "pre_activation": In(signed(16)),
                "result_valid": Out(1),
                "result": Out(signed(16)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.knots = knots = KnotRegisters(self.config)
        m.submodules.interpolator = unit = Interpolator(self.config)
        m.d.comb += [
            knots.write.eq(self.write),
            unit.knots.eq(knots.knots),
            unit.valid.eq(self.valid),
            unit.pre_activation.eq(self.pre_activation),
            self.result_valid.eq(unit.result_valid),
            self.result.eq(unit.result),
        ]
        return m


class TestInterpolator(OracleTest):
    configs = ENGINES

    def build(self, config):
        """With the knots' registers in front."""
        return TableBench(config)

    def operations(self, config, rng):
        """Random knots, values with pauses in between; a curve's knots, more values."""
        first = rng.integers(-32768, 32768, config.table_segments + 1).tolist()
        second = table_knots(sorted(CURVES)[rng.integers(2)], config.table_segments).tolist()
        operations: list[Operation] = []
        for knots in (first, second):
            operations += [{}] * Interpolator.LATENCY
            operations += [
                {"write.enable": 1, "write.index": index, "write.value": knot}
                for index, knot in enumerate(knots)
            ]
            operations += [
                {"valid": int(rng.random() < 0.8), "pre_activation": value}
                for value in signed_values(rng, 16, 150)
            ]
        return operations + [{}] * Interpolator.LATENCY

    def expect(self, config, operations):
        knots = [0] * (config.table_segments + 1)
        outputs = []
        for operation in operations:
            if operation.get("write.enable"):
                knots[operation["write.index"]] = operation["write.value"]
            outputs.append({"result_valid": operation.get("valid", 0)})
            if operation.get("valid"):
                outputs[-1]["result"] = exact.on_segments(knots, operation["pre_activation"])
        return late(outputs, Interpolator.LATENCY)
