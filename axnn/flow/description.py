"""Applications in TOML, by which users describe their own network, plans and engine."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from axnn.data import OwnData
from axnn.errors import RunError
from axnn.flow.apps import App
from qcnpe.spec.toml import convert_toml, encode_toml, read_toml

_HEAD = """\
# An application: data, network, plans and engine. Train it with
#   axnn train --network THIS_FILE --run FOLDER
# or, on your own data, with --data FILE added. Keys that are left out have their defaults;
# input_shape has that of your data.
"""


def describe(app: App) -> str:
    """The application as TOML, from which `read_app` makes an equal one."""
    return f"{_HEAD}\n{encode_toml(app)}"


def read_app(path: Path, own: OwnData | None = None, *, seed: int = 1) -> App:
    """The application in a file.

    Parameters
    ----------
    path : a file in TOML, as `describe` writes it; a relative path of data begins in its folder
    own : data in place of those that the file names
    seed : of the split; a network without `input_shape` takes that of a sample of the user's data

    Raises
    ------
    FormatError
        If a key is missing or unknown, or its value is of another type or out of range; the message
        names file and key.
    RunError
        If no data are named.
    """
    document = read_toml(path)
    if own is not None:
        document["data"] = {key: value for key, value in asdict(own).items() if value is not None}
    if "data" not in document:
        raise RunError(f"{path}: names no data; give some with --data")
    _resolve_path(document["data"], path.parent)
    network, table = document.get("network"), document["data"]
    if isinstance(network, dict) and isinstance(table, dict) and "input_shape" not in network:
        found = convert_toml({"data": table}, _Data, where=str(path)).data
        network["input_shape"] = list(found.load(seed).input_shape)
    return convert_toml(document, App, where=str(path))


def _resolve_path(table: Any, folder: Path) -> None:
    """Let a relative path of the user's data begin in a folder, wherever commands run."""
    if isinstance(table, dict) and isinstance(table.get("path"), str):
        table["path"] = str((folder / table["path"]).absolute())


@dataclass(frozen=True)
class _Data:
    """The key of an application that names the user's data."""

    data: OwnData
