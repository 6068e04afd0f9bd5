"""An engine on a board: what its host link is made of."""

from dataclasses import dataclass

from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.errors import ConfigError
from qcnpe.spec.frames import MAX_BODY, OPERATION_BYTES, check_memories


@dataclass(frozen=True, kw_only=True)
class LinkConfig:
    """Parameters of the hardware around an engine on a board.

    Parameters
    ----------
    engine : EngineConfig
        At most 120 rows and columns: a beat of operands fits a frame.
    clock_hz : float
        Clock of everything.
    baud : int
        Rate of the UART in bits a second.
    buffer : int
        Octets of frames that wait to be worked off, a power of two from 512 on.
    store : int
        Beats that each operand store holds, a power of two, 16..32768.

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

    def __post_init__(self) -> None:
        lanes = (MAX_BODY - OPERATION_BYTES) * 8 // OPERAND_BITS
        for name in ("rows", "cols"):
            value = getattr(self.engine, name)
            if value > lanes:
                raise ConfigError(f"{name} of an engine on a board must be 1..{lanes}, not {value}")
        check_memories(self.buffer, self.store)
