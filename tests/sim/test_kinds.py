"""All kinds of neural compute unit compute the same at 16 bits."""

from dataclasses import replace

import numpy as np
import pytest

from qcnpe.random_work import random_streams
from qcnpe.spec.commands import command_fields, decode, encode
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.cycles import count_cycles
from qcnpe.spec.model import execute
from qcnpe.spec.streams import Streams, unpack_result
from sim.transport import SimulationTransport

PLAIN = EngineConfig(rows=4, cols=4, ncu="plain16", precisions=(16,))
CONFIGS = [
    PLAIN,
    replace(PLAIN, ncu="gated", precisions=(16, 8, 4, 2)),
    EngineConfig(rows=4, cols=4),
    EngineConfig(rows=4, cols=4, ncu="dsp"),
]


def for_engine(config: EngineConfig, streams: Streams) -> Streams:
    """Streams of the plain engine with the command words of another one."""
    there, here = command_fields(PLAIN), command_fields(config)
    words = [
        encode(here, {name: value for name, value in decode(there, word).items() if value})
        for word in streams.commands.tolist()
    ]
    return replace(streams, commands=np.array(words, np.uint64))


@pytest.mark.xdist_group("sim4")
def test_kinds_agree_at_16_bits():
    """The same operands in the same number of cycles; the plain engine's model is the reference.

    Staged engines have registers of their own: they take as many cycles as the compiler counts.
    """
    streams = [random_streams(PLAIN, 250, seed, max_beats=30) for seed in range(2)]
    expected = [unpack_result(PLAIN, execute(PLAIN, each).results, 16) for each in streams]
    cycles = set()
    for config in CONFIGS:
        with SimulationTransport(config) as engine:
            for each, right in zip(streams, expected, strict=True):
                lanes = engine.exchange(for_engine(config, each))
                found = unpack_result(config, lanes, 16)
                np.testing.assert_array_equal(found, right, err_msg=config.ncu)
                counted = count_cycles(config, for_engine(config, each).decode(config))
                assert engine.last_cycles == counted, config.ncu
            if not config.is_staged:
                cycles.add(engine.cycles)
    assert len(cycles) == 1
