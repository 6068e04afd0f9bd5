"""Timing by OpenSTA, an outside judge of `synth.timing`."""

import re
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from synth.annotate import PORT_FF, PORT_SLEW_NS, WIRE_FF_PER_SINK
from synth.errors import SynthesisError, ToolError

_CAPACITANCE = re.compile(r"^(\s*(?:rise_|fall_)?capacitance : )([\d.]+);", re.MULTILINE)
_ARRIVAL = re.compile(r"^\s+([\d.]+)\s+data arrival time", re.MULTILINE)


def arrival_ns(netlist: Path, module: str, liberty: Path) -> float:
    """Latest arrival at a flip-flop's data pin, the clock's way through its gates included.

    Wires are those of `synth.annotate`; since that rule is a capacitance for each pin, it is added
    to the pins' own.

    Parameters
    ----------
    netlist : Verilog of library cells
    module : its top
    liberty : the library, in fF

    Raises
    ------
    ToolError
        If OpenSTA is not installed.
    SynthesisError
        If it reports no path.
    """
    program = shutil.which("sta")
    if program is None:
        raise ToolError("timing needs OpenSTA: apt-get install opensta")
    with TemporaryDirectory() as folder:
        wired, script = Path(folder, "wired.lib"), Path(folder, "timing.tcl")
        wired.write_text(_CAPACITANCE.sub(_with_wire, liberty.read_text()))
        commands = [
            f"read_liberty {{{wired}}}",
            f"read_verilog {{{netlist}}}",
            f"link_design {module}",
            "create_clock -name clk -period 2 [get_ports clk]",
            "set_propagated_clock clk",
            f"set_input_transition {PORT_SLEW_NS} [all_inputs]",
            f"set_load {PORT_FF} [all_outputs]",
            "report_checks -path_delay max -digits 5 -from [all_registers -clock_pins]"
            " -to [all_registers -data_pins]",
            "exit",
        ]
        script.write_text("\n".join(commands) + "\n")
        done = subprocess.run(
            [program, "-no_splash", "-exit", script],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    found = _ARRIVAL.search(done.stdout)
    if not found:
        raise SynthesisError(f"OpenSTA reports no path of {module}: {done.stdout[-300:].strip()}")
    return float(found[1])


def _with_wire(match: re.Match[str]) -> str:
    return f"{match[1]}{float(match[2]) + WIRE_FF_PER_SINK:.4f};"
