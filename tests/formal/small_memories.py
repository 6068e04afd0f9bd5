"""Memories that are small enough for the prover."""

from qcnpe.spec.memory.config import Memory, MemoryConfig
from tests.formal.harness import Harness
from tests.formal.small_engine import small

ROWS = 3
"""Rows of every memory: no power of two, so that an address can be beyond the memory."""


def small_memories(rows: int, cols: int) -> MemoryConfig:
    """Memories of `ROWS` rows each.

    Parameters
    ----------
    rows, cols : of the engine
    """
    depths = {f"{memory.name.lower().rstrip('s')}_rows": ROWS for memory in Memory}
    return MemoryConfig(engine=small(rows, cols), banks=2, address_bits=16, **depths)


class MemoryHarness(Harness):
    """Base of the harnesses of units of the memory side.

    Parameters
    ----------
    config : the memories
    """

    def __init__(self, config: MemoryConfig) -> None:
        super().__init__()
        self.config = config
