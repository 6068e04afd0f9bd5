"""Why a foreign network cannot be imported: every node that cannot run, in one message."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from axnn.errors import ForeignNetworkError
from axnn.frontend.graph import Node, shown

_MOST_NAMES = 3
"""Nodes that are named for each reason."""

_LONGEST = 800
"""Letters of the message: a line that a terminal can show."""


class UnsupportedError(Exception):
    """An operator's rule cannot express a node; its text is the reason."""


@dataclass(frozen=True)
class Refusal:
    """A node that cannot run.

    Attributes
    ----------
    name : of the node
    operator : of the node
    reason : why it cannot run, and perhaps what would
    """

    name: str
    operator: str
    reason: str

    @classmethod
    def of(cls, node: Node, reason: object) -> "Refusal":
        """The refusal of a node."""
        return cls(shown(node.name), shown(node.operator), str(reason))


class RefusedNodesError(ForeignNetworkError):
    """The network has nodes that cannot run.

    Parameters
    ----------
    path : of the file
    refusals : every node that cannot run, in the graph's order
    besides : what else stands against the network; names the file
    """

    def __init__(self, path: Path, refusals: Sequence[Refusal], besides: str = "") -> None:
        self.refusals = tuple(refusals)
        before = f"{besides}; " if besides else f"{path}: "
        super().__init__(f"{before}{_listed(self.refusals)}")


def _listed(refusals: Sequence[Refusal]) -> str:
    """Nodes by operator and reason."""
    names: dict[tuple[str, str], list[str]] = {}
    for refusal in refusals:
        names.setdefault((refusal.operator, refusal.reason), []).append(refusal.name)
    count = len(refusals)
    text = f"{count} node{'s' * (count > 1)} cannot run: "
    for place, ((operator, reason), found) in enumerate(names.items()):
        more = f" and {len(found) - _MOST_NAMES} more" if len(found) > _MOST_NAMES else ""
        entry = f"{', '.join(found[:_MOST_NAMES])}{more} ({operator}): {reason}"
        if place and len(text) + len(entry) > _LONGEST:
            left = sum(len(entry) for entry in list(names.values())[place:])
            return f"{text}; and {left} more nodes"
        text += entry if not place else f"; {entry}"
    return text
