"""Parameters of an engine on a board and of its host link."""

from dataclasses import dataclass

from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.errors import ConfigError
from qcnpe.spec.frames import MAX_BODY, OPERATION_BYTES, LinkedEngine, check_memories
from qcnpe.spec.memory.config import MemoryConfig


@dataclass(frozen=True, kw_only=True)
class LinkConfig:
    """Parameters of the hardware around an engine on a board.

    Parameters
    ----------
    engine : EngineConfig
        At most 125 rows and columns: a beat of operands fits into a frame.
    clock_hz : float
        Clock of engine and link, in Hz.
    baud : int
        Rate of the UART in bits a second.
    buffer : int
        Octets of bodies that wait for execution, a power of two, 512..32768.
    store : int
        Beats that each operand store holds, a power of two, 16..32768. An autonomous engine has
        none.
    memory : MemoryConfig or None
        Of an autonomous engine, whose engine is `engine`; None for one that the host feeds.

    Raises
    ------
    ConfigError
        If a value is out of range.
    """

    engine: EngineConfig
    clock_hz: float
    baud: int
    buffer: int = 2048
    store: int = 4096
    memory: MemoryConfig | None = None

    def __post_init__(self) -> None:
        lanes = (MAX_BODY - OPERATION_BYTES) * 8 // OPERAND_BITS
        for name in ("rows", "cols"):
            value = getattr(self.engine, name)
            if value > lanes:
                raise ConfigError(f"{name} of an engine on a board must be 1..{lanes}, not {value}")
        if self.memory is not None and self.memory.engine != self.engine:
            raise ConfigError("memory must be of the same engine, not of another one")
        check_memories(self.buffer, self.store)

    @property
    def linked(self) -> LinkedEngine:
        """What is behind the link."""
        return self.engine if self.memory is None else self.memory
