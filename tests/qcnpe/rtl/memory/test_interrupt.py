"""The interrupt line against sets of causes."""

from qcnpe.rtl.memory.interrupt import Interrupt
from qcnpe.spec.config import EngineConfig
from tests.qcnpe.rtl.oracle import OracleTest

WIDTH = 3


class TestInterrupt(OracleTest):
    configs = (EngineConfig(rows=1, cols=1),)

    def build(self, config):
        return Interrupt(width=WIDTH)

    def operations(self, config, rng):
        draw = rng.integers(0, 1 << WIDTH, (300, 3)) & rng.integers(0, 1 << WIDTH, (300, 3))
        return [
            {"occurs": int(occurs), "clear": int(clear), "mask": int(mask)}
            for occurs, clear, mask in draw
        ]

    def expect(self, config, operations):
        causes: set[int] = set()
        outputs = []
        for operation in operations:
            bits = {
                name: {n for n in range(WIDTH) if word >> n & 1} for name, word in operation.items()
            }
            outputs.append(
                {
                    "causes": sum(1 << cause for cause in causes),
                    "line": int(not causes.isdisjoint(bits["mask"])),
                }
            )
            causes = (causes - bits["clear"]) | bits["occurs"]
        return outputs
