"""Networks in integers as standard ONNX models, and proof that these compute the same."""

from qcnpe.interchange.export import export_onnx
from qcnpe.interchange.model_file import read_facts
from qcnpe.interchange.verification import Difference, Verification, verify

__all__ = ["Difference", "Verification", "export_onnx", "read_facts", "verify"]
