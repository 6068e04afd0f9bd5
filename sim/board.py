"""A board's top in Verilator, with the pins of its UART on a pseudo-terminal."""

import json
from pathlib import Path
from types import TracebackType

from qcnpe.boards.design import BRIDGE, bridge_rtlil, bridge_verilog
from qcnpe.boards.family import Family
from qcnpe.spec.errors import TransportError
from qcnpe.spec.link import LinkConfig
from sim import verilator
from sim.cocotb_process import CocotbProcess
from sim.ecp5_cells import CELLS
from sim.netlist import board_netlist, cell_models
from sim.verilator import DEFAULT_FOLDER, Design

LINE_VARIABLE = "QCNPE_BOARD_LINE"
"""Environment variable with the clock, the rate and the faults, as JSON."""


class SimulatedBoard:
    """A running simulation of a board's top, used as a context manager.

    cocotb drives the pins bit by bit; the octets pass through the pseudo-terminal `path`, which a
    host opens like any serial port.

    Parameters
    ----------
    link : engine, clock, rate and memories
    folder : for built simulations
    family : simulate the synthesised top, in cells of this family of FPGAs
    drop, flip : lose or change one in `drop` or `flip` octets on the way to the board; 0 for none

    Attributes
    ----------
    path : path of the pseudo-terminal

    Raises
    ------
    ToolError
        If the simulation cannot be built.
    TransportError
        If it does not start.
    """

    def __init__(
        self,
        link: LinkConfig,
        *,
        folder: Path = DEFAULT_FOLDER,
        family: Family | None = None,
        drop: int = 0,
        flip: int = 0,
    ) -> None:
        self._line = {"clock_hz": link.clock_hz, "baud": link.baud, "drop": drop, "flip": flip}
        self._build = _build(link, folder, family)

    def __enter__(self) -> "SimulatedBoard":
        self._process = CocotbProcess(
            "sim.uart_cocotb",
            self._build,
            toplevel=BRIDGE,
            environment={LINE_VARIABLE: json.dumps(self._line)},
        )
        self.path = self._process.receive().strip()
        if not self.path:
            reason = self._process.failure()
            self._process.close()
            raise TransportError(f"the simulation did not start: {reason}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.close()

    def unplug(self) -> dict[str, float]:
        """End the simulation, which closes the line.

        Returns
        -------
        `octets_in`, `octets_out` and `seconds` of simulated time while the line was in use.
        """
        found: dict[str, float] = json.loads(self._process.finish())
        return found


def _build(link: LinkConfig, folder: Path, family: Family | None) -> Path:
    """Folder of the Verilated bridge; builds it if it does not exist."""
    kind = link.engine.ncu if link.memory is None else "autonomous"
    name = f"board-{link.engine.rows}x{link.engine.cols}-{kind}"
    verilator.check_builder(folder, name)
    rtl = bridge_verilog(link) if family is None else bridge_rtlil(link, family)

    def make() -> Design:
        verilog = rtl if family is None else board_netlist(link, family)
        models = [] if family is None else [cell_models(family)]
        return Design(top=BRIDGE, sources={f"{BRIDGE}.v": verilog}, models=models)

    return verilator.build(name, (rtl, str(family), CELLS), folder, make)
