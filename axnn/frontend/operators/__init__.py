"""What each operator of ONNX means for a network of layers: one function each, in a table."""

from axnn.frontend.operators.quantisation import REFUSED
from axnn.frontend.operators.table import RULES

__all__ = ["REFUSED", "RULES"]
