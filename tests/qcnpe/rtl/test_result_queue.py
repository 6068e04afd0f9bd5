"""The queues of results, in registers and in memories, against a Python deque."""

from collections import deque

from amaranth.hdl import Fragment

from qcnpe.rtl.block_queue import BlockResultQueue, FpgaLibrary
from qcnpe.rtl.result_queue import ResultQueue
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from tests.qcnpe.rtl.oracle import OracleTest


class TestResultQueue(OracleTest):
    """In registers. What is wanted changes from result to result; the slices keep their order."""

    configs = (
        EngineConfig(rows=3, cols=2),
        EngineConfig(rows=1, cols=1, precisions=(16, 4)),
        EngineConfig(rows=2, cols=2, ncu="dsp", precisions=(16,)),
    )
    seeds = (1, 2)

    def build(self, config):
        return ResultQueue(config)

    def operations(self, config, rng):
        """Phases in which the queue fills, empties, and in which results pass."""
        fields = {"result": OPERAND_BITS} | {f"copy_{w}": w for w in config.narrow_precisions}
        waiting: deque[dict[str, int]] = deque()
        operations = []
        for send, take in ((0.9, 0.2), (0.2, 0.9), (1, 1), (0.5, 0.5)):
            for _ in range(3 * config.result_depth):
                wanted = {name: int(rng.random() < 0.5) for name in fields}
                operation = {f"wanted.{name}": flag for name, flag in wanted.items()}
                operation |= {
                    f"lane.{name}": int(rng.integers(1 << bits - 1)) if wanted[name] else 0
                    for name, bits in fields.items()
                }
                if waiting:
                    oldest = waiting[0]
                    operation |= {f"oldest_wanted.{name}": oldest[name] for name in fields}
                operation["pop"] = int(bool(waiting) and rng.random() < take)
                operation["push"] = int(len(waiting) < config.result_depth and rng.random() < send)
                if operation["pop"]:
                    waiting.popleft()
                if operation["push"]:
                    waiting.append(wanted)
                operations.append(operation)
        return operations

    def expect(self, config, operations):
        waiting: deque[dict[str, int]] = deque()
        outputs = []
        for operation in operations:
            known = {"valid": int(bool(waiting))}
            if waiting:
                known |= waiting[0]
            outputs.append(known)
            if operation["pop"]:
                waiting.popleft()
            if operation["push"]:
                lane = {name: value for name, value in operation.items() if name[:5] == "lane."}
                waiting.append({f"oldest.{name[5:]}": value for name, value in lane.items()})
        return outputs


class TestBlockResultQueue(TestResultQueue):
    """In memories."""

    def build(self, config):
        return BlockResultQueue(config)


def test_a_library_for_fpgas_places_memories():
    config, library = EngineConfig(rows=2, cols=2), FpgaLibrary()
    Fragment.get(ResultQueue(config), library)
    (body,) = (text for name, text in library.modules.items() if "block_result_queue" in name)
    assert body.count("cell $memrd") == 2, "one for 16-bit results, one for copies"
