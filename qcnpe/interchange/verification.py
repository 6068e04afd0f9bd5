"""Verification: onnxruntime runs a bit-true model, and each result must be that of the network."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qcnpe.interchange.export import INPUT, OUTPUT
from qcnpe.interchange.model_file import ModelFile
from qcnpe.spec.errors import FormatError, InputError, VerificationError
from qcnpe.spec.inference import infer
from qcnpe.spec.inputs import check_codes
from qcnpe.spec.qnet import QuantNet
from qcnpe.tools.extras import require_modules

_HELD = 1 << 24
"""Values held at once for a batch, about: 128 MiB in float64."""

_MAX_BATCH = 256

_ONLY_FATAL = 4
"""Level of onnxruntime's log: errors are exceptions."""


@dataclass(frozen=True)
class Difference:
    """One result that differs.

    Attributes
    ----------
    sample, output : whose result it is
    expected, found : what the network and the model give
    optimised : whether onnxruntime's optimiser was on
    """

    sample: int
    output: int
    expected: int
    found: int
    optimised: bool

    def __str__(self) -> str:
        optimiser = "on" if self.optimised else "off"
        return (
            f"sample {self.sample}, output {self.output}: {self.found} instead of {self.expected}"
            f" with the optimiser {optimiser}"
        )


@dataclass(frozen=True)
class Verification:
    """How the results of a model and of its network compare.

    Attributes
    ----------
    samples : that were run, with onnxruntime's optimiser off and with it on
    results : that were compared, of both runs
    mismatches : results that differ with the optimiser off
    optimised_mismatches : results that differ with the optimiser on
    first : the first result that differs; None if none does
    """

    samples: int
    results: int
    mismatches: int
    optimised_mismatches: int
    first: Difference | None

    @property
    def is_exact(self) -> bool:
        """Whether every result is equal."""
        return self.first is None

    @property
    def rows(self) -> tuple[tuple[str, str], ...]:
        """Names and values for a table."""
        return (
            ("samples", f"{self.samples:,}"),
            ("results compared", f"{self.results:,}"),
            ("results that differ, optimiser off", f"{self.mismatches:,}"),
            ("results that differ, optimiser on", f"{self.optimised_mismatches:,}"),
        )

    def check(self) -> None:
        """Raise `VerificationError` unless every result is equal."""
        if self.first is not None:
            wrong = self.mismatches + self.optimised_mismatches
            raise VerificationError(
                f"{wrong:,} of {self.results:,} results of the model differ from the network's,"
                f" first {self.first}; export the network again"
            )


def verify(
    net: QuantNet,
    path: Path | str,
    inputs: NDArray[Any],
    *,
    progress: Callable[[int], None] | None = None,
) -> Verification:
    """Compare a model's results in onnxruntime with those of the network's integer inference.

    Parameters
    ----------
    net : the network
    path : a file of `export_onnx`
    inputs : int16 (samples, features) as `QuantNet.quantize_inputs` makes them, or floating-point
        (samples, ...) in the units of the training
    progress : called with the number of samples finished so far

    Raises
    ------
    FormatError
        If the file is damaged, or of a network with other inputs or outputs.
    InputError
        If the inputs do not fit the network.
    ToolMissingError
        If the extra `onnx` is not installed.
    """
    require_modules("onnx", "onnxruntime")
    model = ModelFile.read(Path(path))
    if (prod(model.input_shape), model.outputs) != (net.inputs, net.outputs):
        raise FormatError(f"{path}: is not of network {net.name}; export it again")
    if not len(inputs):
        raise InputError("there are no samples; give at least one")
    sessions = [_Session(model, optimised=optimised) for optimised in (False, True)]
    counts, first = [0, 0], None
    batch = min(max(1, _HELD // model.held), _MAX_BATCH)
    for start in range(0, len(inputs), batch):
        codes, fed = _feed(net, model, inputs[start : start + batch])
        expected = infer(net, codes)
        for number, session in enumerate(sessions):
            found = session.run(fed)
            wrong = np.argwhere(found != expected)
            counts[number] += len(wrong)
            if len(wrong) and first is None:
                sample, output = wrong[0].tolist()
                values = int(expected[sample, output]), int(found[sample, output])
                first = Difference(start + sample, output, *values, session.optimised)
        if progress is not None:
            progress(start + len(codes))
    results = 2 * len(inputs) * net.outputs
    return Verification(len(inputs), results, counts[0], counts[1], first)


def _feed(
    net: QuantNet, model: ModelFile, inputs: NDArray[Any]
) -> tuple[NDArray[np.int16], NDArray[Any]]:
    """Samples as the network's inference and as the model read them."""
    if inputs.dtype.kind == "f":
        reals = inputs.astype(np.float32)
        codes = net.quantize_inputs(reals)
    else:
        check_codes(inputs, net.inputs, where=f"network {net.name}")
        codes = inputs
        reals = np.ldexp(codes.astype(np.float32), -net.input_fraction_bits)
    fed = codes if model.input_type == np.int16 else reals
    return codes, fed.reshape(len(codes), *model.input_shape)


class _Session:
    """A model in onnxruntime, on the processor."""

    def __init__(self, model: ModelFile, *, optimised: bool) -> None:
        import onnxruntime

        levels = onnxruntime.GraphOptimizationLevel
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = (
            levels.ORT_ENABLE_ALL if optimised else levels.ORT_DISABLE_ALL
        )
        options.log_severity_level = _ONLY_FATAL
        options.enable_cpu_mem_arena = False
        self.optimised = optimised
        self._model = model
        self._session: Any = self._guarded(
            lambda: onnxruntime.InferenceSession(
                model.content, options, providers=["CPUExecutionProvider"]
            )
        )

    def run(self, inputs: NDArray[Any]) -> NDArray[np.int16]:
        """Results (samples, outputs).

        Raises
        ------
        FormatError
            If onnxruntime fails, or the results are of another type or shape.
        """
        results: Any = self._guarded(lambda: self._session.run([OUTPUT], {INPUT: inputs})[0])
        if results.dtype != np.int16 or results.shape != (len(inputs), self._model.outputs):
            raise FormatError(
                f"{self._model.path}: makes {results.dtype} {results.shape} of {len(inputs)}"
                " samples; export it again"
            )
        return np.asarray(results)

    def _guarded(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except MemoryError:
            raise
        except Exception as error:  # onnxruntime has dozens of types, without a common base
            first = next(iter(str(error).splitlines()), type(error).__name__)
            raise FormatError(
                f"{self._model.path}: onnxruntime cannot run it ({first}); export it again"
            ) from error
