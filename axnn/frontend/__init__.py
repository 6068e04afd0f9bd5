"""Networks from other tools: read from ONNX files, and compared with what onnxruntime computes."""

from axnn.frontend.comparison import LIMIT, Comparison, compare
from axnn.frontend.imported import ImportedNetwork, import_onnx
from axnn.frontend.refusal import Refusal, RefusedNodesError

__all__ = [
    "LIMIT",
    "Comparison",
    "ImportedNetwork",
    "Refusal",
    "RefusedNodesError",
    "compare",
    "import_onnx",
]
