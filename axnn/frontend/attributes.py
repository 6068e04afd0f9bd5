"""Attributes of nodes, each of the type that its operator defines."""

from axnn.frontend.graph import Array, Node
from axnn.frontend.refusal import UnsupportedError


def integer(node: Node, name: str, default: int) -> int:
    """An integer, or the default if it is not given."""
    value = node.attributes.get(name)
    return value if isinstance(value, int) else default


def floating(node: Node, name: str, default: float) -> float:
    """A number, or the default if it is not given."""
    value = node.attributes.get(name)
    return float(value) if isinstance(value, int | float) else default


def word(node: Node, name: str, default: str) -> str:
    """A string, or the default if it is not given."""
    value = node.attributes.get(name)
    return value if isinstance(value, str) else default


def integers(node: Node, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
    """Integers, or the default if they are not given."""
    value = node.attributes.get(name)
    if isinstance(value, tuple):
        return tuple(int(entry) for entry in value)
    return default


def sizes(node: Node, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
    """Integers of which there must be as many as in the default, none negative."""
    found = integers(node, name, default)
    if len(found) != len(default) or min(found, default=0) < 0:
        raise UnsupportedError(f"{name} {found} must be {len(default)} numbers, none negative")
    return found


def axes_of(node: Node, axes: Array | None) -> tuple[int, ...]:
    """Axes, which are an input in newer operators and an attribute in older ones."""
    if axes is not None:
        return tuple(int(axis) for axis in axes.reshape(-1))
    return integers(node, "axes", ())
