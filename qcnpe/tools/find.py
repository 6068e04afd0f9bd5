"""Finds the programs that a step needs, before the step begins."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from qcnpe.spec.errors import ToolMissingError
from qcnpe.tools.environment import search_path


@dataclass(frozen=True)
class Tool:
    """An external program and where to get it.

    Attributes
    ----------
    name : of the executable
    remedy : what to do if it is missing
    aliases : names of other builds of it, which may be used instead
    variable : environment variable in which a user may name another build
    """

    name: str
    remedy: str
    aliases: tuple[str, ...] = ()
    variable: str = ""

    def find(self) -> str | None:
        """Path of the program, if there is one."""
        chosen = os.environ.get(self.variable) if self.variable else None
        names = (chosen,) if chosen else (self.name, *self.aliases)
        found = (shutil.which(name, path=search_path()) for name in names)
        return next((path for path in found if path), None)

    def require(self) -> str:
        """Path of the program.

        Raises
        ------
        ToolMissingError
            If there is none: says what to do.
        """
        found = self.find()
        if found is None:
            raise ToolMissingError(f"{self.name} is missing: {self.remedy}")
        return found


def debian(name: str, package: str = "") -> Tool:
    """A program of a Debian package, which by default has its name."""
    return Tool(name, f"apt-get install {package or name}")


def yowasp(name: str) -> Tool:
    """A program of the extra `fpga`; a native build may be used instead."""
    remedy = "install the extra fpga: pip install 'axnn[fpga]'"
    return Tool(name, remedy, (f"yowasp-{name}",), name.upper().replace("-", "_"))


COMPILER = debian("g++")
C_COMPILER = debian("gcc")
MAKE = debian("make")
NGSPICE = debian("ngspice")
OPENSTA = debian("sta", "opensta")
LOADER = debian("openFPGALoader", "openfpgaloader")


def require(programs: Sequence[Tool]) -> None:
    """Check that all programs are there.

    Raises
    ------
    ToolMissingError
        Names all that are missing, and what to do.
    """
    missing = [program for program in programs if program.find() is None]
    if missing:
        said = "; ".join(f"{program.name} is missing: {program.remedy}" for program in missing)
        raise ToolMissingError(said)
