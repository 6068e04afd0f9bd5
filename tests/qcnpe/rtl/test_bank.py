"""A queue's bank against a list; words of other banks do not change it."""

import pytest

from qcnpe.rtl.bank import Bank
from qcnpe.spec.config import EngineConfig
from tests.qcnpe.rtl.oracle import OracleTest, play


class TestBank(OracleTest):
    configs = tuple(EngineConfig(fifo_depth=words) for words in (2, 4))
    seeds = (1, 2)

    def build(self, config):
        return Bank(width=16, words=config.fifo_depth)

    def operations(self, config, rng):
        """Writes and reads, many of them to and from other banks."""
        return [
            {
                "payload": int(rng.integers(1, 1 << 16)),
                "push": int(rng.integers(2)),
                "write_here": int(rng.integers(2)),
                "write_place": 1 << int(rng.integers(config.fifo_depth)),
                "read_here": int(rng.random() < 0.8),
                "read_place": 1 << int(rng.integers(config.fifo_depth)),
            }
            for _ in range(200)
        ]

    def expect(self, config, operations):
        words = [0] * config.fifo_depth
        outputs = []
        for operation in operations:
            place = operation["read_place"].bit_length() - 1
            outputs.append({"value": words[place] if operation["read_here"] else 0})
            if operation["push"] and operation["write_here"]:
                words[operation["write_place"].bit_length() - 1] = operation["payload"]
        return outputs


@pytest.mark.parametrize("elsewhere", ["push", "write_here"])
def test_a_word_that_goes_elsewhere_is_not_kept(elsewhere):
    write = {"payload": 7, "push": 1, "write_here": 1, "write_place": 1}
    look = {"push": 0, "read_here": 1, "read_place": 1}
    operations = [write, {**write, "payload": 9, elsewhere: 0}, look]
    assert play(Bank(width=4, words=2), operations, ["value"])[-1] == {"value": 7}
