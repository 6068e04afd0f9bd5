"""Narrow copies of results against fractions."""

from qcnpe.rtl.requantize import Requantize
from qcnpe.spec.config import EngineConfig
from tests.qcnpe import exact
from tests.qcnpe.rtl.oracle import OracleTest, signed_values


class TestRequantize(OracleTest):
    configs = (EngineConfig(), EngineConfig(precisions=(16,)), EngineConfig(precisions=(16, 4)))

    def build(self, config):
        return Requantize(config)

    def operations(self, config, rng):
        operations = []
        for value in signed_values(rng, 16, 300):
            operation = {
                "result": value,
                "copies.is_unsigned": int(rng.integers(2)),
                "copies.wanted.result": int(rng.integers(2)),
            }
            for width in config.narrow_precisions:
                operation[f"copies.shift_{width}"] = int(rng.integers(16))
                operation[f"copies.wanted.copy_{width}"] = int(rng.integers(4) > 0)
            operations.append(operation)
        return operations

    def expect(self, config, operations):
        return [
            {"lane.result": op["result"] * op["copies.wanted.result"]}
            | {f"lane.copy_{w}": self.copy(op, w) for w in config.narrow_precisions}
            for op in operations
        ]

    def copy(self, operation, width):
        if not operation[f"copies.wanted.copy_{width}"]:
            return 0
        unsigned = bool(operation["copies.is_unsigned"])
        shift = operation[f"copies.shift_{width}"]
        return exact.copy(operation["result"], shift, width, unsigned=unsigned) % 2**width
