"""What a classifier does with its logits at the end: left out, since it changes no class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from axnn.errors import ForeignNetworkError
from axnn.frontend.graph import Node, shown

ANSWERS = (
    "Softmax",
    "LogSoftmax",
    "ArgMax",
    "ai.onnx.ml.Normalizer",
    "ai.onnx.ml.ZipMap",
)
"""Operators that make probabilities or classes of logits."""

_BETWEEN = (
    "Identity", "Cast", "Reshape", "Squeeze", "Flatten", "QuantizeLinear", "DequantizeLinear",
)  # fmt: skip
"""Operators that may follow them."""

LOOK_UP = "ai.onnx.ml.ArrayFeatureExtractor"
"""Finds the name of the class whose number is its second input."""


@dataclass(frozen=True)
class Answer:
    """What is read as a network's output.

    Attributes
    ----------
    tensor : its name
    notes : which operators behind it are left out
    classes : names of the classes, as these operators have them; empty if they have none
    """

    tensor: str
    notes: tuple[str, ...]
    classes: tuple[str, ...]


def find_answer(nodes: Sequence[Node], outputs: Sequence[str], path: Path) -> Answer:
    """The tensor that all outputs of a graph are made of.

    Raises
    ------
    ForeignNetworkError
        If there are several.
    """
    makers = {output: node for node in nodes for output in node.outputs}
    found, left_out = set(), []
    for output in outputs:
        tensor, dropped = _logits(makers, output)
        found.add(tensor)
        left_out += [node for node in dropped if node not in left_out]
    if len(found) > 1:
        names = ", ".join(map(shown, sorted(outputs)[:5]))
        raise ForeignNetworkError(
            f"{path}: has {len(outputs)} outputs ({names}); export the network with one"
        )
    titles = ", ".join(node.title for node in left_out)
    notes = (f"left out at the end: {titles}",) if left_out else ()
    listed = [
        node.attributes.get(name)
        for node in left_out
        for name in ("classlabels_int64s", "classlabels_strings")
    ]
    classes = next((names for names in listed if isinstance(names, tuple) and names), ())
    return Answer(found.pop(), notes, tuple(map(str, classes)))


def _logits(makers: Mapping[str, Node], output: str) -> tuple[str, list[Node]]:
    """The tensor that an output's probabilities or classes are made of, and the nodes between."""
    logits, left_out = output, list[Node]()
    tensor, passed = output, dict[Node, None]()
    while (node := makers.get(tensor)) and node not in passed and node.inputs:
        passed[node] = None
        if node.operator == LOOK_UP and len(node.inputs) == 2:
            tensor = node.inputs[1]
        elif node.operator in (*ANSWERS, *_BETWEEN):
            tensor = node.inputs[0]
        else:
            break
        if node.operator in ANSWERS:
            logits, left_out = tensor, list(passed)
    return logits, left_out
