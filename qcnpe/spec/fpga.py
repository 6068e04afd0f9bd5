"""Which boards an engine fits: estimates from the engines that were built for them.

On FPGAs the units of an engine are of the kind `dsp`, which takes as many cycles as `fused`. What
the built engines use is in `results/fpga.json`, with which tests compare the estimates.
"""

from dataclasses import dataclass
from enum import Enum

from qcnpe.spec.config import EngineConfig

MARGIN = 0.1
"""How far an estimate may be off, as a share; those of the built engines are within 3 %."""

_KINDS = ("fused", "dsp")


class Fit(Enum):
    """Whether an engine fits a board."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class BoardSize:
    """What an FPGA has, and what a square array and the link to the host take of it.

    Attributes
    ----------
    luts, multipliers : lookup tables and hard multipliers of the FPGA
    precisions : operand widths of the engines that were built
    largest : rows, and columns, of the largest one
    base_luts, edge_luts, unit_luts : of what is there once, of a row with a column, of a unit
    base_multipliers, unit_multipliers : of what is there once, of a unit; a row has one
    """

    luts: int
    multipliers: int
    precisions: tuple[int, ...]
    largest: int
    base_luts: int
    edge_luts: int
    unit_luts: int
    base_multipliers: int
    unit_multipliers: int

    def estimated_luts(self, size: int) -> int:
        """Lookup tables of an engine of as many rows as columns."""
        return self.base_luts + self.edge_luts * size + self.unit_luts * size**2

    def counted_multipliers(self, rows: int, cols: int) -> int:
        """Hard multipliers of an engine."""
        return self.base_multipliers + rows + self.unit_multipliers * rows * cols

    def fit(self, engine: EngineConfig) -> Fit:
        """Whether an engine fits; unknown where neither is sure.

        An engine that is not square is larger than the square in it, and smaller than the square
        around it; one with fewer widths is smaller.
        """
        if engine.ncu not in _KINDS:
            return Fit.UNKNOWN
        inner, outer = sorted((engine.rows, engine.cols))
        widths, built = set(engine.precisions), set(self.precisions)
        enough = self.counted_multipliers(engine.rows, engine.cols) <= self.multipliers
        least = self.estimated_luts(inner) * (1 - MARGIN)
        if widths >= built and not (enough and least <= self.luts):
            return Fit.NO
        most = self.estimated_luts(outer) * (1 + MARGIN)
        if widths <= built and (outer <= self.largest or (enough and most <= self.luts)):
            return Fit.YES
        return Fit.UNKNOWN


def _ecp5(*, luts: int, multipliers: int, largest: int) -> BoardSize:
    return BoardSize(
        luts=luts,
        multipliers=multipliers,
        precisions=(16, 8, 4, 2),
        largest=largest,
        base_luts=2760,
        edge_luts=1430,
        unit_luts=620,
        base_multipliers=2,
        unit_multipliers=2,
    )


BOARD_SIZES = {
    "ulx3s_85f": _ecp5(luts=83640, multipliers=156, largest=8),
    "ecpix5_45f": _ecp5(luts=43848, multipliers=72, largest=4),
    "icebreaker": BoardSize(
        luts=5280,
        multipliers=8,
        precisions=(16,),
        largest=2,
        base_luts=4647,
        edge_luts=0,
        unit_luts=150,
        base_multipliers=0,
        unit_multipliers=1,
    ),
}
"""Sizes by the boards' names."""


def fits(engine: EngineConfig) -> dict[str, Fit]:
    """Whether an engine fits each board."""
    return {name: size.fit(engine) for name, size in BOARD_SIZES.items()}
