"""Which operators are read at all, and why others are not."""

from collections.abc import Iterable

from axnn.frontend.answers import ANSWERS, LOOK_UP
from axnn.frontend.constants import FOLDED
from axnn.frontend.graph import Node
from axnn.frontend.operators.quantisation import REFUSED
from axnn.frontend.operators.table import RULES
from axnn.frontend.refusal import Refusal

_REASONS = {
    **REFUSED,
    "HardSwish": "it multiplies two functions of a map, which the engine does not",
    "LogSoftmax": "it is read at the end only",
    "Softmax": "it is read at the end only",
}


def reason(operator: str) -> str:
    """Why an operator is not read."""
    return _REASONS.get(operator, "the operator is not one that is read")


def refuse_operators(nodes: Iterable[Node]) -> tuple[Refusal, ...]:
    """The nodes whose operators are not read, whatever they compute with."""
    known = {*RULES, *FOLDED, *ANSWERS, LOOK_UP}
    return tuple(
        Refusal.of(node, reason(node.operator)) for node in nodes if node.operator not in known
    )
