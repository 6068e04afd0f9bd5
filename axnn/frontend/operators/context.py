"""What the rules of operators share: layers so far, and the arguments of a node."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from axnn.frontend.builder import LayerBuilder
from axnn.frontend.draft import Value
from axnn.frontend.graph import Array, Node
from axnn.frontend.refusal import UnsupportedError

Argument = Value | Array | None
"""A tensor that depends on the network's input, a constant, or an input that is left out."""

Result = Value | Array | tuple[Value, ...]


@dataclass(frozen=True, eq=False)
class Call:
    """A node, its arguments, and the layers so far.

    Attributes
    ----------
    node : the node
    inputs : its arguments, of which at least one depends on the network's input
    builder : of the layers
    batch : samples that the graph's shapes speak of
    """

    node: Node
    inputs: Sequence[Argument]
    builder: LayerBuilder
    batch: int

    def value(self, place: int = 0) -> Value:
        """An argument that must depend on the network's input."""
        found = self.inputs[place]
        if not isinstance(found, Value):
            raise UnsupportedError(f"its input {place} must depend on the network's input")
        return found

    def constant(self, place: int) -> Array | None:
        """An argument that must be a constant, or None if it is left out."""
        found = self.inputs[place] if place < len(self.inputs) else None
        if isinstance(found, Value):
            raise UnsupportedError(
                f"its input {place} must be a constant, not computed from samples"
            )
        return found

    def weights(self, place: int) -> Array:
        """An argument that must be a constant of finite numbers."""
        found = self.constant(place)
        if found is None or found.dtype.kind not in "fiu" or not np.isfinite(found).all():
            raise UnsupportedError(f"its input {place} must be constant, finite numbers")
        return found

    def number(self, place: int) -> float | None:
        """An argument that must be a single constant number, or None if it is left out."""
        found = self.constant(place)
        if found is None:
            return None
        if found.size != 1 or found.dtype.kind not in "fiu":
            raise UnsupportedError(f"its input {place} must be one number")
        return float(found.reshape(-1)[0])
