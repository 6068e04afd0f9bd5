"""Streams are cut by command; nothing is sent after a bad command."""

import numpy as np
import pytest

from qcnpe.boards.tiles import cut_into_wire_steps
from qcnpe.random_work import bad_commands, random_streams, with_bad_commands
from qcnpe.spec.config import EngineConfig

CONFIG = EngineConfig(rows=3, cols=2, table_segments=8)


@pytest.mark.parametrize("seed", range(3))
def test_steps_put_together_are_the_streams(seed):
    streams = random_streams(CONFIG, 20, seed, table_share=0.3)
    steps = list(cut_into_wire_steps(streams, CONFIG))
    assert [step.command for step in steps] == streams.commands.tolist()
    for name in ("activations", "weights", "parameters"):
        parts = [getattr(step, name) for step in steps]
        np.testing.assert_array_equal(np.concatenate(parts), getattr(streams, name))
    assert sum(step.results for step in steps) == streams.results
    for step in steps:
        opcode = step.command & 0xF
        assert step.loads_table == (opcode == 2)
        assert len(step.parameters) == (9 if opcode == 2 else step.results)
        assert len(step.activations) == (0 if opcode == 2 else step.command >> 14 & 0xFFFF)


@pytest.mark.parametrize("seed", range(3))
def test_a_bad_command_goes_alone_and_last(seed):
    good = random_streams(CONFIG, 6, seed)
    bad = bad_commands(CONFIG, 2, seed)
    streams = with_bad_commands(CONFIG, good, bad, seed)
    steps = list(cut_into_wire_steps(streams, CONFIG))
    words = streams.commands.tolist()
    first = min(words.index(word) for word in bad.tolist())
    assert [step.command for step in steps] == words[: first + 1]
    last = steps[-1]
    assert (last.loads_table, last.results) == (False, 0)
    assert len(last.activations) == len(last.weights) == len(last.parameters) == 0
    assert sum(step.results for step in steps) == streams.results
