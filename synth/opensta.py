"""Timing by OpenSTA, an independent check of `synth.timing`."""

import re
from pathlib import Path
from tempfile import TemporaryDirectory

from qcnpe.tools.find import OPENSTA
from qcnpe.tools.process import Process
from synth.annotate import PORT_SLEW_NS
from synth.wires import FanoutLengths, Wires

_CAPACITANCE = re.compile(r"^(\s*(?:rise_|fall_)?capacitance : )([\d.]+);", re.MULTILINE)
_LIMIT_S = 600

WIRE_FF_PER_SINK = 0.5
PORT_FF = 9.0
WIRES = Wires(
    FanoutLengths((1,), (1.0,)), ff_per_um=WIRE_FF_PER_SINK, outside_um=0.0, outside_ff=PORT_FF
)
"""Wires that can be given to OpenSTA without a file of parasitics."""

_ARRIVAL = re.compile(r"^\s+([\d.]+)\s+data arrival time", re.MULTILINE)


def arrival_ns(netlist: Path, module: str, liberty: Path) -> float:
    """Latest arrival at a flip-flop's data pin, including the delay of clock gates.

    Wires are `WIRES`: a capacitance for each pin that a net feeds, which is added to the pin's.

    Parameters
    ----------
    netlist : Verilog of library cells
    module : its top
    liberty : the library, in fF

    Raises
    ------
    ToolMissingError
        If OpenSTA is not installed.
    ToolError
        If it reports no path.
    """
    program = OPENSTA.require()
    with TemporaryDirectory(prefix="qcnpe-") as name:
        folder = Path(name)
        (folder / "wired.lib").write_text(_CAPACITANCE.sub(_with_wire, liberty.read_text()))
        (folder / "netlist.v").symlink_to(netlist.absolute())
        commands = [
            "read_liberty wired.lib",
            "read_verilog netlist.v",
            f"link_design {module}",
            "create_clock -name clk -period 2 [get_ports clk]",
            "set_propagated_clock clk",
            f"set_input_transition {PORT_SLEW_NS} [all_inputs]",
            f"set_load {PORT_FF + WIRE_FF_PER_SINK} [all_outputs]",
            "report_checks -path_delay max -digits 5 -from [all_registers -clock_pins]"
            " -to [all_registers -data_pins]",
            "exit",
        ]
        (folder / "timing.tcl").write_text("\n".join(commands) + "\n")
        call = [program, "-no_splash", "-exit", "timing.tcl"]
        with Process("OpenSTA", call, folder) as process:
            found = _ARRIVAL.search(process.wait(_LIMIT_S).stdout)
            if not found:  # its status is zero whatever happens
                raise process.failure()
            return float(found[1])


def _with_wire(match: re.Match[str]) -> str:
    return f"{match[1]}{float(match[2]) + WIRE_FF_PER_SINK:.4f};"
