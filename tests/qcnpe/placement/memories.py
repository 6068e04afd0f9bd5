"""Memories in which all networks of the tests of images fit."""

from dataclasses import replace
from typing import Any

from qcnpe.spec.config import EngineConfig
from qcnpe.spec.memory.config import MemoryConfig


def memories(engine: EngineConfig, **sizes: Any) -> MemoryConfig:
    """Memories in which tables of neurons that all have widths of their own find room."""
    wide: dict[str, Any] = {
        "descriptor_rows": 2048,
        "tap_rows": 8192,
        "write_rows": 4096,
        "parameter_rows": 2048,
    }
    return replace(MemoryConfig.default(engine), **{**wide, **sizes})
