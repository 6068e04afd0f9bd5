"""The queue against a Python deque, for every pattern of senders and receivers."""

from collections import deque

import pytest

from qcnpe.rtl.fifo import Fifo
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.cycles import QUEUE_LATENCY
from tests.qcnpe.rtl.oracle import OracleTest, play


class TestFifo(OracleTest):
    configs = tuple(EngineConfig(fifo_depth=depth) for depth in (2, 4, 16))
    seeds = (1, 2, 3)
    width = 8

    def depth(self, config):
        return config.fifo_depth

    def build(self, config):
        return Fifo(width=self.width, depth=self.depth(config))

    def operations(self, config, rng):
        """Phases in which the sender or the receiver is the faster one."""
        depth, words = self.depth(config), 1 << self.width
        operations = []
        for send, take in ((1, 0), (0, 1), (1, 1), (0.8, 0.3), (0.3, 0.8), (0.5, 0.5)):
            operations += [
                {
                    "i.valid": int(rng.random() < send),
                    "i.payload": int(rng.integers(words)),
                    "o.ready": int(rng.random() < take),
                }
                for _ in range(3 * depth + 10)
            ]
        return operations

    def expect(self, config, operations):
        words: deque[int] = deque()
        outputs = []
        for operation in operations:
            room = len(words) < self.depth(config)
            known = {"i.ready": int(room), "o.valid": int(bool(words)), "level": len(words)}
            if words:
                known["o.payload"] = words[0]
            outputs.append(known)
            if operation["o.ready"] and words:
                words.popleft()
            if operation["i.valid"] and room:
                words.append(operation["i.payload"])
        return outputs


class TestResultQueue(TestFifo):
    """Depths that are no multiple of a bank, words of more than one slice."""

    configs = tuple(EngineConfig(rows=rows, cols=cols) for rows, cols in ((1, 1), (3, 2), (4, 2)))
    width = 40

    def depth(self, config):
        return config.result_depth


@pytest.mark.parametrize("depth", [2, 3, 40])
def test_latency_and_throughput(depth):
    operations = [{"i.valid": 1, "i.payload": word, "o.ready": 1} for word in range(20)]
    seen = play(Fifo(width=8, depth=depth), operations, ["o.valid", "o.payload", "i.ready"])
    assert all(outputs["i.ready"] for outputs in seen)
    assert [outputs["o.valid"] for outputs in seen] == [0] * QUEUE_LATENCY + [1] * 19
    assert [outputs["o.payload"] for outputs in seen[QUEUE_LATENCY:]] == list(range(19))
