"""Result files: figures under flat names, with their command, seed, versions and machine."""

from pathlib import Path
from typing import Any

from qcnpe.spec.documents import convert_document, read_document

Figures = dict[str, int | float]


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
