"""What tests of images share: the driver's streams, and memories in which all networks fit."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcnpe.driver import ModelTransport
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.memory.config import MemoryConfig
from qcnpe.spec.streams import Streams


def memories(engine: EngineConfig, **sizes: Any) -> MemoryConfig:
    """Memories in which tables of neurons that all have widths of their own find room."""
    wide: dict[str, Any] = {
        "descriptor_rows": 2048,
        "tap_rows": 8192,
        "write_rows": 4096,
        "parameter_rows": 2048,
    }
    return replace(MemoryConfig.default(engine), **{**wide, **sizes})


class Recorder(ModelTransport):
    """The integer model, which keeps the streams that the driver sends."""

    def __init__(self, config: EngineConfig) -> None:
        super().__init__(config)
        self.sent: list[Streams] = []

    def exchange(self, streams: Streams) -> NDArray[np.uint64]:
        """Keep and execute the streams."""
        self.sent.append(streams)
        return super().exchange(streams)
