"""The activation function unit against fractions, with its latency of four cycles."""

import pytest

from qcnpe.rtl.afu import Afu
from qcnpe.spec.activation import CURVES, table_knots
from qcnpe.spec.config import EngineConfig
from tests.qcnpe import exact
from tests.qcnpe.rtl.oracle import Operation, OracleTest, late, signed_values

FUNCTIONS = ("identity", "relu", "table")


class TestAfu(OracleTest):
    configs = (
        EngineConfig(accumulator_bits=40),
        EngineConfig(accumulator_bits=24, table_segments=8),
        EngineConfig(accumulator_bits=48, table_segments=256),
        EngineConfig(ncu="dsp", accumulator_bits=40),
        EngineConfig(ncu="dsp", accumulator_bits=24, table_segments=8),
    )

    def build(self, config):
        return Afu(config)

    def operations(self, config, rng):
        """Random knots, neurons with pauses in between; a curve's knots, more neurons."""
        first = rng.integers(-32768, 32768, config.table_segments + 1).tolist()
        second = table_knots(sorted(CURVES)[rng.integers(2)], config.table_segments).tolist()
        operations: list[Operation] = []
        for knots in (first, second):
            operations += [{}] * Afu.LATENCY
            operations += [
                {"knot.enable": 1, "knot.index": index, "knot.value": knot}
                for index, knot in enumerate(knots)
            ]
            sums = signed_values(rng, config.accumulator_bits, 150)
            operations += [self.neuron(config, total, rng) for total in sums]
        return operations + [{}] * Afu.LATENCY

    def neuron(self, config, total, rng):
        """Shifts that bring most sums near 16 bits, and some that do not."""
        near = max(abs(total).bit_length() - 15 + int(rng.integers(-2, 3)), -16)
        shift = near if rng.random() < 0.8 else int(rng.integers(-16, 48))
        return {
            "valid": int(rng.random() < 0.8),
            "accumulator": total,
            "neuron.function": int(rng.integers(3)),
            "neuron.parameters.bias": signed_values(rng, 16, 1)[0],
            "neuron.parameters.shift": shift + 16,
        }

    def expect(self, config, operations):
        knots = [0] * (config.table_segments + 1)
        outputs = []
        for operation in operations:
            if operation.get("knot.enable"):
                knots[operation["knot.index"]] = operation["knot.value"]
            outputs.append(self.result(operation, knots))
        return late(outputs, Afu.LATENCY)

    def result(self, operation, knots):
        if not operation.get("valid"):
            return {"result_valid": 0}
        return {
            "result_valid": 1,
            "result": exact.result(
                operation["accumulator"],
                bias=operation["neuron.parameters.bias"],
                shift=operation["neuron.parameters.shift"] - 16,
                function=FUNCTIONS[operation.get("neuron.function", 0)],
                knots=knots,
            ),
        }

    @pytest.mark.parametrize("ncu", ["fused", "dsp"])
    @pytest.mark.parametrize("bits", [24, 48])
    def test_every_shift_at_the_ends_of_the_accumulator(self, bits, ncu):
        config = EngineConfig(accumulator_bits=bits, ncu=ncu)
        operations = [
            {
                "valid": 1,
                "accumulator": total,
                "neuron.parameters.bias": bias,
                "neuron.parameters.shift": shift,
            }
            for shift in range(64)
            for total in (*exact.bounds(bits), -1, 1)
            for bias in exact.bounds(16)
        ]
        self.check(config, operations + [{}] * Afu.LATENCY)


class TestNeuronBelow(OracleTest):
    """Parameters reach the next row one cycle later and stay until the next neuron."""

    configs = (EngineConfig(), EngineConfig(ncu="dsp"))

    def build(self, config):
        return Afu(config)

    def operations(self, config, rng):
        names = ("valid", "neuron.function", "neuron.parameters.bias", "neuron.parameters.shift")
        return [dict(zip(names, rng.integers(0, 2, 4).tolist(), strict=True)) for _ in range(40)]

    def expect(self, config, operations):
        held = dict.fromkeys(("function", "parameters.bias", "parameters.shift"), 0)
        outputs = []
        for operation in operations:
            if operation["valid"]:
                held = {name: operation[f"neuron.{name}"] for name in held}
            outputs.append({f"neuron_below.{name}": value for name, value in held.items()})
        return late(outputs, 1)
