"""Lane n and its control word are delayed by n cycles, valid if lane and beat were."""

import numpy as np
import pytest

from qcnpe.rtl.layouts import ACTIVATION_LANE, NO_CONTROL, WEIGHT_LANE, control_layout
from qcnpe.rtl.skew import Skew
from qcnpe.spec.config import EngineConfig
from tests.qcnpe.rtl.oracle import OracleTest, lane_words, play


class TestSkew(OracleTest):
    configs = tuple(EngineConfig(rows=rows, cols=1) for rows in (1, 2, 5, 11))

    def build(self, config):
        control = control_layout(config)
        return Skew(lane=ACTIVATION_LANE, lanes=config.rows, control=control)

    def operations(self, config, rng):
        operations = []
        for _ in range(60):
            operation = {"valid": int(rng.random() < 0.6), "control.mode": int(rng.integers(4))}
            operation["control.last"] = int(rng.integers(2))
            words = lane_words(rng, config.rows)
            for lane, word in enumerate(words):
                operation[f"lanes.{lane}.valid"] = int(rng.random() < 0.7)
                operation[f"lanes.{lane}.zero"] = int(rng.integers(2))
                operation[f"lanes.{lane}.operands"] = word
            operations.append(operation)
        return operations

    def expect(self, config, operations):
        outputs = []
        for cycle in range(len(operations)):
            known: dict[str, int] = {}
            for lane in range(config.rows):
                if cycle >= lane:
                    known |= self.lane(operations[cycle - lane], lane)
            outputs.append(known)
        return outputs

    def lane(self, operation, lane):
        """Expected output of a lane when an operation reaches it; only `valid` if it is idle."""
        if not (operation["valid"] and operation[f"lanes.{lane}.valid"]):
            return {f"lane_out.{lane}.valid": 0}
        members = ("valid", "zero", "operands")
        return {
            f"lane_out.{lane}.{name}": operation[f"lanes.{lane}.{name}"] for name in members
        } | {
            f"control_out.{lane}.{name}": operation[f"control.{name}"] for name in ("mode", "last")
        }


@pytest.mark.parametrize("lanes", [1, 4])
def test_lanes_without_control(lanes):
    rng = np.random.default_rng(1)
    words = lane_words(rng, 20)
    operations = [
        {"valid": 1}
        | {f"lanes.{lane}.valid": 1 for lane in range(lanes)}
        | {f"lanes.{lane}.operands": word for lane in range(lanes)}
        for word in words
    ]
    last = f"lane_out.{lanes - 1}.operands"
    unit = Skew(lane=WEIGHT_LANE, lanes=lanes, control=NO_CONTROL)
    seen = [outputs[last] for outputs in play(unit, operations, [last])]
    assert seen[lanes - 1 :] == words[: len(words) - lanes + 1]
