"""Runs of images on an autonomous engine whose memory side is priced."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qcnpe.activity import stream_activity
from qcnpe.events import OperandActivity
from qcnpe.memory_events import count_memory_events
from qcnpe.spec.memory.image import Image
from qcnpe.spec.memory.machine import join_streams, run_image


@dataclass(frozen=True, eq=False)
class ImageInputs:
    """An image, and the inputs of its runs: of the first one, after the boot, and of further ones.

    Attributes
    ----------
    name : of the program
    image : of a network
    inputs : int16 (samples, features), a multiple of the image's batch
    """

    name: str
    image: Image
    inputs: NDArray[np.int16]

    def activities(self) -> list[dict[int, OperandActivity]]:
        """What the operands of each run do, by precision."""
        engine = self.image.config.engine
        batches = np.split(self.inputs, len(self.inputs) // self.image.batch)
        found, before = [], 0
        for runs in range(1, len(batches) + 1):
            _, machine = run_image(self.image, np.concatenate(batches[:runs]))
            streams = machine.streams[before:]
            found.append(stream_activity(engine, join_streams(streams)))
            before += len(streams)
        return found


@dataclass(frozen=True, eq=False)
class MemoryRun:
    """What a run took.

    Attributes
    ----------
    program : what was run
    number : of the run; run 0 boots
    activity : what its operands did, by precision
    cycles : from the start until the interrupt and the gap after it
    energies_fj : by unit
    """

    program: ImageInputs
    number: int
    activity: Mapping[int, OperandActivity]
    cycles: int
    energies_fj: Mapping[str, float]

    @property
    def name(self) -> str:
        """Name of the program."""
        return self.program.name

    def events(self, *, with_operands: bool = True) -> Mapping[str, int]:
        """Events of the run; those of operands by bits that change, or by words."""
        return count_memory_events(
            self.program.image,
            first=self.number == 0,
            cycles=self.cycles,
            activity=self.activity if with_operands else None,
        )
