"""Result files: figures under flat names, with their command, seed, versions and machine."""

import os
import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from qcnpe.spec.documents import convert_document, read_document, write_document

Figures = dict[str, int | float]


def results_document(
    command: str,
    figures: Mapping[str, int | float],
    *,
    seed: int | None,
    versions: Mapping[str, str],
    machine: str | None = None,
    **notes: Any,
) -> dict[str, Any]:
    """The document of a result file.

    Parameters
    ----------
    command : that makes the file again
    figures : finite numbers by flat names
    seed : of everything random; None: nothing is
    versions : of what the figures depend on, by name, see `package_versions`
    machine : that the figures were measured on, if that is not `machine_name`
    notes : what else a reader must know, by key; they stand before the figures
    """
    return {
        "command": command,
        "seed": seed,
        "versions": dict(versions),
        "machine": machine or machine_name(),
        **notes,
        "figures": dict(figures),
    }


def package_versions(packages: Iterable[str]) -> dict[str, str]:
    """Versions of installed packages by their names."""
    return {package: version(package) for package in packages}


def machine_name() -> str:
    """The kind of processor of this machine, and how many there are."""
    return f"{platform.machine()}, {os.cpu_count()} processors"


def add_figures(
    path: Path, figures: Mapping[str, int | float], *, sources: Mapping[str, str]
) -> None:
    """Add figures of another command to a result file; those of the same names are replaced.

    Parameters
    ----------
    path : of the file
    figures : by name
    sources : that command, by a pattern of the figures' names; kept in the file
    """
    results = read_results(path)
    results["sources"] = results.get("sources", {}) | dict(sources)
    results["figures"] |= figures
    write_document(path, results, indent=1)


def read_results(path: Path) -> dict[str, Any]:
    """A result file; its `figures` are finite numbers by name, the rest is free.

    Raises
    ------
    FormatError
        If it is missing, damaged, or not a result file.
    """
    document = read_document(path, dict[str, Any])
    return {**document, "figures": _figures(document, path)}


def read_figures(path: Path) -> Figures:
    """The figures of a result file; errors as `read_results`."""
    return _figures(read_document(path, dict[str, Any]), path)


def _figures(document: dict[str, Any], path: Path) -> Figures:
    return convert_document(document.get("figures"), Figures, where=f"{path}: figures")
