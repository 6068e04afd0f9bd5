"""The three conditions against lists of reserved and returned columns."""

from qcnpe.rtl.admission import Admission
from qcnpe.spec.config import EngineConfig
from tests.qcnpe.rtl.oracle import OracleTest


class AdmissionOracle:
    """Counts with sets of cycles instead of counters."""

    def __init__(self, config):
        self.config = config
        self.cycle = self.drain_ends = 0
        self.taken = self.read = self.returned = 0

    def outputs(self, operation):
        room = self.config.result_depth - (self.taken - self.returned)
        spare = operation["parameters_waiting"] - (self.taken - self.read)
        return {
            "drain_ready": int(self.cycle >= self.drain_ends),
            "results_ready": int(room >= operation["cols"] and bool(operation["collector_ready"])),
            "parameters_ready": int(spare >= operation["cols"]),
            "read_out": int(self.taken == self.read),
            "drained": int(self.taken == self.returned),
        }

    def step(self, operation):
        if operation["finish"]:
            self.taken += operation["cols"]
            self.drain_ends = self.cycle + operation["cols"] + 3 * operation["is_table"]
        self.read += operation["column_read"]
        self.returned += operation["column_returned"]
        self.cycle += 1


class TestAdmission(OracleTest):
    configs = tuple(EngineConfig(rows=1, cols=cols) for cols in (1, 3, 4, 16))
    seeds = (1, 2)

    def build(self, config):
        return Admission(config)

    def operations(self, config, rng):
        """Tiles finish when the oracle allows; columns come back after they were read."""
        oracle, operations = AdmissionOracle(config), []
        for _ in range(300):
            promised = oracle.taken - oracle.read
            operation = {
                "cols": int(rng.integers(1, config.cols + 1)),
                "is_table": int(rng.random() < 0.3),
                "parameters_waiting": int(rng.integers(promised, config.parameter_depth + 1)),
                "collector_ready": int(rng.random() < 0.8),
                "column_read": int(promised > 0 and rng.random() < 0.9),
                "column_returned": int(oracle.read > oracle.returned and rng.random() < 0.7),
            }
            ready = all(v for name, v in oracle.outputs(operation).items() if "ready" in name)
            operation["finish"] = int(ready and rng.random() < 0.7)
            oracle.step(operation)
            operations.append(operation)
        assert oracle.taken > config.result_depth, f"only {oracle.taken} columns"
        return operations

    def expect(self, config, operations):
        oracle, outputs = AdmissionOracle(config), []
        for operation in operations:
            outputs.append(oracle.outputs(operation))
            oracle.step(operation)
        return outputs
