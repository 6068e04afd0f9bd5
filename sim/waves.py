"""Files of waveforms that simulations write."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from qcnpe.spec.errors import ConfigError, ToolMissingError
from qcnpe.spec.files import replace_file
from qcnpe.tools.find import COMPILER
from qcnpe.tools.process import run

_FORMATS = ("fst", "vcd")
_PROBE = ("-E", "-x", "c++", "-include", "lz4.h", "/dev/null")


@dataclass(frozen=True)
class Waves:
    """A file of all signals of a simulation.

    Attributes
    ----------
    path : the file; its name says the format, FST or VCD

    Raises
    ------
    ConfigError
        If the name says neither.
    """

    path: Path

    def __post_init__(self) -> None:
        if self.format not in _FORMATS:
            raise ConfigError(f"waves must be a file named .fst or .vcd, not {self.path}")

    @property
    def format(self) -> str:
        """The format's name."""
        return self.path.suffix.removeprefix(".")

    @property
    def build_options(self) -> tuple[str, ...]:
        """Options of Verilator for a simulation that can write such a file."""
        return (f"--trace-{self.format}",)

    @property
    def name(self) -> str:
        """Name of the file in the working folder of a simulation."""
        return f"waves.{self.format}"

    @property
    def arguments(self) -> tuple[str, ...]:
        """Arguments of a simulation that writes the file."""
        return ("--trace", "--trace-file", self.name)

    def check(self) -> None:
        """Check that a simulation for the format can be built.

        Raises
        ------
        ToolMissingError
            If it cannot.
        """
        if (
            self.format == "fst"
            and run(
                "the C++ compiler", [COMPILER.require(), *_PROBE], Path("/"), check=False
            ).status
        ):
            raise ToolMissingError(
                "lz4.h is missing, which .fst needs: apt-get install liblz4-dev, or write a .vcd"
            )

    def collect(self, folder: Path) -> None:
        """Move the file out of the working folder of a simulation that has ended."""

        def fill(temporary: Path) -> None:
            shutil.copyfile(folder / self.name, temporary)

        replace_file(self.path, fill)
