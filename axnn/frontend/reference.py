"""What an ONNX file computes in onnxruntime, to compare with: another implementation, exactly run.

Its optimiser stays off, since it changes results. It is given only what has been read and found to
be a network of bounded size, with all data in memory: it opens no file. QONNX' quantisers, which
onnxruntime does not know, are written as standard operators.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from axnn.errors import ForeignNetworkError
from axnn.frontend.graph import Graph
from axnn.frontend.standard_operators import with_standard_operators
from qcnpe.tools.extras import require_modules

_BATCH = 64
_ONLY_FATAL = 4


def run_reference(graph: Graph, samples: NDArray[Any]) -> NDArray[Any]:
    """Outputs of a graph for samples that have its input's shape."""
    (found,) = run_tensors(graph, samples, (graph.output,))
    return found


def run_tensors(
    graph: Graph, samples: NDArray[Any], names: Sequence[str]
) -> tuple[NDArray[Any], ...]:
    """Tensors of a graph, by name, for samples that have its input's shape."""
    require_modules("onnxruntime")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = _ONLY_FATAL
    options.enable_cpu_mem_arena = False
    batch = graph.batch or _BATCH
    parts = []
    try:
        session = onnxruntime.InferenceSession(
            with_standard_operators(graph.content, names),
            options,
            providers=["CPUExecutionProvider"],
        )
        for start in range(0, len(samples), batch):
            part = samples[start : start + batch].astype(graph.input_type)
            count = len(part)
            if graph.batch and count < batch:  # a file that reads so many at once, and no fewer
                part = np.concatenate([part, np.repeat(part[-1:], batch - count, axis=0)])
            found = session.run(list(names), {graph.input: part})
            parts.append([tensor[:count] for tensor in found])
    except Exception as error:  # onnxruntime has dozens of types, without a common base
        raise ForeignNetworkError(f"{graph.path}: onnxruntime cannot run it ({error})") from error
    return tuple(np.concatenate(tensors) for tensors in zip(*parts, strict=True))
