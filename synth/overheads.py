"""Overheads of configurability: each kind of neural compute unit at 16 bits against plain16."""

from collections.abc import Mapping

KINDS = ("fused", "gated")
QUANTITIES = {"energy": "pj_per_mac", "area": "area_um2", "path": "path_ns"}

Figures = Mapping[str, Mapping[str, float]]
"""By kind of NCU: pJ a MAC at 16 bits, area and path."""


def overheads_percent(ncus: Figures) -> dict[str, dict[str, float]]:
    """Overhead in percent over plain16 by kind of NCU, of energy, area and path."""
    plain = ncus["plain16"]
    return {
        kind: {
            quantity: round(100 * (ncus[kind][key] / plain[key] - 1), 1)
            for quantity, key in QUANTITIES.items()
        }
        for kind in KINDS
    }


def in_words(overheads: Mapping[str, Mapping[str, float]]) -> str:
    """The overheads in one line of text."""
    kinds = (
        f"{kind}: " + ", ".join(f"{name} {percent:+.1f} %" for name, percent in of_kind.items())
        for kind, of_kind in overheads.items()
    )
    return "NCU over plain16 at 16 bits: " + "; ".join(kinds)
