"""The boards, each with its default engine."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from qcnpe.boards.family import ECP5, ICE40, Family
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import ConfigError
from qcnpe.spec.frames import MIN_STORE
from qcnpe.spec.link import LinkConfig
from qcnpe.spec.memory.config import MemoryConfig

BAUD = 3_000_000
"""Fastest rate that the USB chips of all boards support, in bits a second."""


@dataclass(frozen=True, kw_only=True)
class Board:
    """A board and its tools.

    Attributes
    ----------
    name : the value of `BOARD=`
    title : for messages and tables
    platform : makes the platform of amaranth-boards, with the pins
    family : of its FPGA
    link : engine, clock, rate and memories
    loader : the board's name for openFPGALoader
    """

    name: str
    title: str
    platform: Callable[[], Any]
    family: Family
    link: LinkConfig
    loader: str

    def with_engine(self, **changes: Any) -> "Board":
        """The board with some of its engine's parameters changed; None leaves one alone."""
        chosen = {name: value for name, value in changes.items() if value is not None}
        engine = replace(self.link.engine, **chosen)
        memory = self.link.memory and replace(self.link.memory, engine=engine)
        return replace(self, link=replace(self.link, engine=engine, memory=memory))

    def autonomous(self, memory: MemoryConfig, *, clock_hz: float) -> "Board":
        """The board with an autonomous engine, under a name of its own."""
        link = replace(
            self.link, engine=memory.engine, memory=memory, clock_hz=clock_hz, store=MIN_STORE
        )
        name = f"{self.name}_autonomous"
        return replace(self, name=name, title=f"{self.title}, autonomous", link=link)


def _ulx3s() -> Any:
    from amaranth_boards.ulx3s import ULX3S_85F_Platform

    return ULX3S_85F_Platform()


def _ecpix5() -> Any:
    from amaranth_boards.ecpix5 import ECPIX545Platform

    return ECPIX545Platform()


def _icebreaker() -> Any:
    from amaranth_boards.icebreaker import ICEBreakerPlatform

    return ICEBreakerPlatform()


_STREAMED = {
    board.name: board
    for board in (
        Board(
            name="ulx3s_85f",
            title="ULX3S with ECP5-85F",
            platform=_ulx3s,
            family=ECP5,
            link=LinkConfig(
                engine=EngineConfig(rows=8, cols=8, ncu="dsp"), clock_hz=50e6, baud=BAUD, store=2048
            ),
            loader="ulx3s",
        ),
        Board(
            name="ecpix5_45f",
            title="ECPIX-5 with ECP5UM5G-45F",
            platform=_ecpix5,
            family=ECP5,
            link=LinkConfig(
                engine=EngineConfig(rows=4, cols=4, ncu="dsp"), clock_hz=50e6, baud=BAUD, store=2048
            ),
            loader="ecpix5_r03",
        ),
        Board(
            name="icebreaker",
            title="iCEBreaker with iCE40UP5K",
            platform=_icebreaker,
            family=ICE40,
            link=LinkConfig(
                engine=EngineConfig(
                    rows=2,
                    cols=2,
                    ncu="dsp",
                    precisions=(16,),
                    accumulator_bits=32,
                    counters=False,
                ),
                clock_hz=21e6,  # seven cycles a bit; 24 MHz (eight) was met by some builds only
                baud=BAUD,
                buffer=512,
                store=512,
            ),
            loader="ice40_generic",
        ),
    )
}

_AUTONOMOUS = (
    _STREAMED["ulx3s_85f"].autonomous(
        MemoryConfig(
            # With 8 rows it takes 80 % of the tables, and no router finishes.
            engine=replace(_STREAMED["ulx3s_85f"].link.engine, rows=6),
            banks=8,
            activation_rows=2048,
            weight_rows=8192,
            tap_rows=512,
            write_rows=512,
        ),
        clock_hz=40e6,
    ),
    _STREAMED["ecpix5_45f"].autonomous(
        MemoryConfig(
            engine=_STREAMED["ecpix5_45f"].link.engine,
            banks=8,
            activation_rows=1024,
            weight_rows=13312,
            tap_rows=512,
            write_rows=512,
        ),
        clock_hz=50e6,
    ),
)
"""Their memories hold LeNet-5 at 16 bits; an iCE40UP5K has no room for a memory side."""

BOARDS = _STREAMED | {board.name: board for board in _AUTONOMOUS}


def find_board(name: str) -> Board:
    """The board of that name; `ConfigError` names all if there is none."""
    if name not in BOARDS:
        raise ConfigError(f"BOARD must be one of {', '.join(BOARDS)}, not {name!r}")
    return BOARDS[name]
