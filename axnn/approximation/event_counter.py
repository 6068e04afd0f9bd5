"""What a network makes an engine do, for a batch of samples: counts by event, without prices.

Given samples, a network's operands are counted, too: most of what a multiplier takes depends on
them, above all on how many are zero.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qcnpe.activity import network_activity
from qcnpe.compiler import Program, compile_network
from qcnpe.events import ncu_events
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.qnet import QuantNet

PROGRAM_BATCH = 64
"""Samples of the program that is counted: enough to spread loading and draining over."""


@dataclass(frozen=True, eq=False)
class EventCounter:
    """Counts the events of networks on one engine.

    Attributes
    ----------
    config : the engine
    samples : real inputs (n, ...) that say what operands are like: a random draw, all of which are
        counted; without them each multiply-accumulate counts as one with the operands that the
        prices were measured with
    """

    config: EngineConfig
    samples: NDArray[np.floating] | None = None

    def ncu_events(self, width: int) -> tuple[str, ...]:
        """Names of the events that are counted of NCUs at work at a width."""
        return ncu_events(width, with_operands=self.samples is not None)

    def compile(self, net: QuantNet) -> Program:
        """The program whose events are counted."""
        return compile_network(net, self.config, PROGRAM_BATCH)

    def count(self, net: QuantNet) -> dict[str, int]:
        """How often each event happens for `PROGRAM_BATCH` samples."""
        total: Counter[str] = Counter()
        for layer in self.count_layers(self.compile(net)):
            total.update(layer)
        return dict(total)

    def count_layers(self, program: Program) -> list[dict[str, int]]:
        """The same of a compiled network, layer by layer."""
        if self.samples is None:
            return [counts.events() for counts in program.layer_counts]
        inputs = program.net.quantize_inputs(self.samples)
        seen = network_activity(program.net, self.config, inputs, batch=program.batch)
        scale = program.batch / len(self.samples)
        return [
            counts.events({width: each.scaled(scale) for width, each in layer.items()})
            for counts, layer in zip(program.layer_counts, seen, strict=True)
        ]


def memory_events(program: Program) -> dict[str, int]:
    """Accesses to on-chip memories, and the cycles in which they leak."""
    counts = program.counts
    return {
        "activation_memory_read": counts.activation_words,
        "activation_memory_write": counts.result_words,
        "weight_memory_read": counts.weight_words,
        "parameter_memory_read": counts.parameter_words,
        "memory_leakage_cycle": program.cycles,
    }


def external_events(program: Program) -> dict[str, int]:
    """Words from and to an external memory, whose host keeps the last block of operands."""
    counts = program.counts
    words = program.fetched_words + counts.parameter_words + counts.result_words
    return {"external_word": words}
