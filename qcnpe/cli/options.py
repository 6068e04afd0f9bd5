"""Options that several commands of `qcnpe` share, and the engines that they describe."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from qcnpe.command_line import parse_numbers
from qcnpe.options import Top
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import ConfigError
from qcnpe.spec.memory.config import MemoryConfig
from qcnpe.spec.ncu_kind import find_kind, kinds
from qcnpe.spec.qnet import QuantNet

RowsOption = Annotated[int, typer.Option(help="Rows of neural compute units (NCUs), 1..256.")]
ColsOption = Annotated[int, typer.Option(help="Columns of neural compute units (NCUs), 1..256.")]
PrecisionsOption = Annotated[
    str, typer.Option(help="Operand widths in bits, descending, separated by commas.")
]
NcuOption = Annotated[
    str,
    typer.Option(help=f"Kind of neural compute unit: {', '.join(kind.name for kind in kinds())}."),
]
NetRowsOption = Annotated[
    int | None, typer.Option("--rows", help="Rows of the array; default: the network's engine.")
]
NetColsOption = Annotated[
    int | None,
    typer.Option("--cols", help="Columns of the array; default: the network's engine."),
]
NetPrecisionsOption = Annotated[
    str | None,
    typer.Option("--precisions", help="Operand widths in bits; default: the network's engine."),
]
NetNcuOption = Annotated[
    str | None,
    typer.Option("--ncu", help="Kind of neural compute unit; default: the network's engine."),
]
NetArgument = Annotated[
    Path, typer.Argument(help="Integer network (.npz), as of `axnn approximate`.")
]

_SIZE_DIGITS = 8
"""Most digits of a size that is read."""

ALL_PRECISIONS = "16,8,4,2"
DEFAULT_FIFO_DEPTH = EngineConfig().fifo_depth


@dataclass(frozen=True)
class NetworkEngine:
    """The engine that a command runs a network on.

    Attributes
    ----------
    config : its parameters
    source : where they come from, as text
    """

    config: EngineConfig
    source: str

    @classmethod
    def choose(
        cls,
        net: QuantNet,
        *,
        rows: int | None,
        cols: int | None,
        precisions: str | None,
        ncu: str | None,
    ) -> "NetworkEngine":
        """The engine that the network was approximated for, as changed by the options."""
        source = "named by the network"
        if net.engine is None:
            source = "the default, since the network names none"
        options = {"rows": rows, "cols": cols, "precisions": precisions, "ncu": ncu}
        given = {name: value for name, value in options.items() if value is not None}
        if given:
            source += f", changed by {', '.join(f'--{name}' for name in given)}"
        return cls(_changed(net.engine or EngineConfig(), given), source)

    @property
    def title(self) -> str:
        """The engine and where its parameters come from."""
        return f"{self.config.title}, {self.source}"

    @property
    def document(self) -> dict[str, Any]:
        """Both, for a JSON document."""
        return {"engine": asdict(self.config), "engine_source": self.source}


def _changed(config: EngineConfig, options: Mapping[str, Any]) -> EngineConfig:
    """The engine with some parameters replaced by options of the command line.

    A kind given without precisions has those of the engine's precisions that it supports.
    """
    values = dict(options)
    if "precisions" in values:
        values["precisions"] = parse_numbers("precisions", values["precisions"])
    elif "ncu" in values:
        values["precisions"] = find_kind(values["ncu"]).choose(config.precisions)
    return replace(config, **values)


def engine_config(
    rows: int, cols: int, precisions: str, ncu: str, fifo_depth: int = DEFAULT_FIFO_DEPTH
) -> EngineConfig:
    """An engine's parameters from the options of the command line.

    The default precisions mean all of them that the kind supports.
    """
    widths = parse_numbers("precisions", precisions)
    if precisions == ALL_PRECISIONS:
        widths = find_kind(ncu).choose(widths)
    return EngineConfig(rows=rows, cols=cols, precisions=widths, ncu=ncu, fifo_depth=fifo_depth)


MemoryOption = Annotated[
    list[str] | None,
    typer.Option(
        help="Size of an autonomous engine, such as activation_rows=2048 or bus_bits=128;"
        " repeat it for others."
    ),
]


def check_top(top: Top, sizes: list[str] | None, *, macros: bool = False) -> None:
    """Refuse options of autonomous engines for another top."""
    for option, given in (("--memory", sizes), ("--macros", macros)):
        if given and top is not Top.AUTONOMOUS:
            raise ConfigError(f"{option} is for --top autonomous")


def changed_sizes(config: MemoryConfig, sizes: Iterable[str]) -> MemoryConfig:
    """Memories with some sizes replaced, each given as NAME=NUMBER."""
    names = [field.name for field in fields(config) if field.name != "engine"]
    for size in sizes:
        name, _, number = size.partition("=")
        if name not in names or not number.isdecimal() or len(number) > _SIZE_DIGITS:
            raise ConfigError(f"memory must be NAME=NUMBER, NAME of {', '.join(names)}, not {size}")
        values: dict[str, Any] = {name: int(number)}
        config = replace(config, **values)
    return config
