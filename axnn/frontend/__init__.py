"""Networks from other tools: read from ONNX files, and compared with what onnxruntime computes."""

from axnn.frontend.comparison import LIMIT, Comparison, compare
from axnn.frontend.grading import Grade, Quantisation
from axnn.frontend.imported import ImportedNetwork, import_onnx
from axnn.frontend.integers import LayerDifference, compare_integers, saturated_shares
from axnn.frontend.refusal import Refusal, RefusedNodesError

__all__ = [
    "LIMIT",
    "Comparison",
    "Grade",
    "ImportedNetwork",
    "LayerDifference",
    "Quantisation",
    "Refusal",
    "RefusedNodesError",
    "compare",
    "compare_integers",
    "import_onnx",
    "saturated_shares",
]
