"""Lengths of the wires between the units of an engine, from the outline of a routed NCU.

A model, not a layout. Neural compute units (NCUs) abut in a grid; what leaves one to the east or to
the south arrives at the next without a wire between them. West of the grid are the activations'
skew, north of it the weights', east of each row its activation function unit (AFU) with its queue,
and east of these the collector, at half the height of the grid. The clock comes through an H-tree.
"""

from dataclasses import dataclass

from qcnpe.spec.config import EngineConfig
from synth.errors import SynthesisError
from synth.wires import OUTSIDE_UM, Wires


@dataclass(frozen=True)
class Floorplan:
    """A grid of NCUs.

    Attributes
    ----------
    rows, cols : NCUs of the grid
    ncu_width_um, ncu_height_um : outline of an NCU
    """

    rows: int
    cols: int
    ncu_width_um: float
    ncu_height_um: float

    def __post_init__(self) -> None:
        for name in ("rows", "cols", "ncu_width_um", "ncu_height_um"):
            if not (value := getattr(self, name)) > 0:
                raise SynthesisError(f"{name} must be above 0, not {value}")

    @classmethod
    def of(cls, config: EngineConfig, wires: Wires) -> "Floorplan":
        """Floorplan of an engine; an NCU that was not routed is a square of `OUTSIDE_UM`."""
        unit = wires.routed.get(config.ncu)
        width, height = (unit.width_um, unit.height_um) if unit else (OUTSIDE_UM, OUTSIDE_UM)
        return cls(config.rows, config.cols, width, height)

    @property
    def width_um(self) -> float:
        """Width of the grid."""
        return self.cols * self.ncu_width_um

    @property
    def height_um(self) -> float:
        """Height of the grid."""
        return self.rows * self.ncu_height_um

    @property
    def clock_tree_um(self) -> float:
        """All wires of an H-tree that ends in the middle of each NCU."""
        return self._tree_um(self.rows, self.cols)

    def _tree_um(self, rows: int, cols: int) -> float:
        """A wire between the middles of two halves of a block of NCUs, and the trees in them."""
        if rows == cols == 1:
            return 0.0
        width, height = cols * self.ncu_width_um, rows * self.ncu_height_um
        if rows == 1 or (cols > 1 and width >= height):
            half = cols // 2
            return width / 2 + self._tree_um(rows, half) + self._tree_um(rows, cols - half)
        half = rows // 2
        return height / 2 + self._tree_um(half, cols) + self._tree_um(rows - half, cols)
