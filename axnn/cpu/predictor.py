"""The predictor: runs a trained or an approximate network on an ordinary processor."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from axnn.cpu.chain import is_chain
from axnn.cpu.choice.approximated import Approximated, array_types
from axnn.cpu.graph import Engine, GraphEngine
from axnn.cpu.kernels import plain
from axnn.cpu.kernels.stages import KernelProgram, lower
from axnn.cpu.kinds import exact_assignment
from axnn.data.encoding import Encoding
from axnn.data.labels import Label
from axnn.nn.network import NETWORK_KIND, Network
from axnn.nn.spec import NetworkSpec
from qcnpe.spec.documents import Positive, convert_document
from qcnpe.spec.errors import ConfigError, InputError
from qcnpe.spec.npz import npz_kind, read_npz, write_npz

if TYPE_CHECKING:
    from axnn.cpu.kernels.packing import Packed

Float32 = NDArray[np.float32]

_KIND = "axnn-predictor-1"

_IDLE = 8
"""Samples are computed singly if a batch would use at most one lane in so many: measured."""


class Predictor:
    """Classifies samples, with compiled kernels if numba is installed, else with numpy.

    Networks of any shape are computed, those that are no chain of plain layers layer by layer.

    Several threads may use it at once. Results do not depend, to the last bit, on how samples are
    divided into batches or on the number of threads.

    Parameters
    ----------
    approximated : the network and the kinds of its channels
    encoding : what its inputs and outputs stand for, learnt on the training data; by default inputs
        are taken as they are, in [-1, 1], and classes are called 0, 1, 2, ...
    threads : number of threads that a call may use; small batches use one
    compiled : False for numpy even if numba is there

    Examples
    --------
    >>> predictor = Predictor.load("build/cpu/digits/axnn-0.5.npz")  # doctest: +SKIP
    >>> predictor.predict(images)  # doctest: +SKIP
    """

    def __init__(
        self,
        approximated: Approximated,
        *,
        encoding: Encoding | None = None,
        threads: int = 1,
        compiled: bool = True,
    ) -> None:
        if threads < 1:
            raise ConfigError(f"threads must be at least 1, not {threads}")
        network = approximated.network
        self.input_shape = network.spec.input_shape
        self._features = prod(self.input_shape)
        self._approximated = approximated
        last = network.neuron_layers[-1].geometry
        self.classes = last.channels * last.outputs
        self.encoding = encoding or Encoding.plain(self.classes)
        if self.encoding.quantity is not None:
            raise ConfigError(f"{network.spec.name} is a regression; predictors give classes")
        if len(self.encoding.classes) != self.classes:
            raise ConfigError(
                f"encoding must have {self.classes} classes, one for each logit, not"
                f" {len(self.encoding.classes)}"
            )
        self._engine = _engine(approximated, threads, compiled=compiled)

    @classmethod
    def exact(
        cls,
        network: Network,
        *,
        encoding: Encoding | None = None,
        threads: int = 1,
        compiled: bool = True,
    ) -> "Predictor":
        """The predictor of a trained network as it is; the parameters are those of `Predictor`."""
        return cls(_exact(network), encoding=encoding, threads=threads, compiled=compiled)

    @classmethod
    def load(cls, path: Path | str, *, threads: int = 1, compiled: bool = True) -> "Predictor":
        """The predictor in a file: one that `save` wrote, or the exact network of `axnn train`.

        Raises
        ------
        FormatError
            If the file is missing, damaged or of another kind.
        """
        path = Path(path)
        if npz_kind(path) == NETWORK_KIND:
            network, notes = Network.load(path)
            encoding = _encoding_of(notes, where=f"{path}: notes")
            return cls.exact(network, encoding=encoding, threads=threads, compiled=compiled)
        approximated, encoding = _from_file(path)
        return cls(approximated, encoding=encoding, threads=threads, compiled=compiled)

    def save(self, path: Path | str) -> None:
        """Write all that the predictor needs to one file; nothing in it is ever unpickled."""
        found = self._approximated
        header = _Header(found.network.spec, found.scales, self.encoding)
        write_npz(Path(path), _KIND, header, found.arrays())

    def decision_function(self, inputs: ArrayLike) -> Float32:
        """Logits (samples, classes).

        Parameters
        ----------
        inputs : (samples, channels, height, width) or (samples, features), as they were measured;
            where the encoding scales nothing, floating-point numbers in [-1, 1]

        Raises
        ------
        InputError
            If shape or type differ, or a value is not finite or out of range.
        """
        return self._engine(self._checked(inputs))

    def predict(self, inputs: ArrayLike) -> NDArray[np.int64]:
        """(samples,) most probable class of each sample; inputs as in `decision_function`."""
        return self.decision_function(inputs).argmax(axis=1)

    def predict_labels(self, inputs: ArrayLike) -> list[Label]:
        """Label of each sample's most probable class; inputs as in `decision_function`."""
        return self.encoding.classes.decode(self.predict(inputs))

    def predict_proba(self, inputs: ArrayLike) -> Float32:
        """(samples, classes) probabilities; inputs as in `decision_function`."""
        logits = self.decision_function(inputs)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)

    def _checked(self, inputs: ArrayLike) -> Float32:
        """The inputs, scaled, as contiguous float32 (samples, features)."""
        values = np.asarray(inputs)
        features = self._features
        if values.shape[1:] not in (self.input_shape, (features,)):
            shape = ", ".join(str(size) for size in self.input_shape)
            raise InputError(
                f"inputs must be (samples, {shape}) or (samples, {features}), not {values.shape}"
            )
        samples = values.reshape(len(values), *self.input_shape)
        scaled = self.encoding.scaling.apply(samples, where="predictor")
        return np.ascontiguousarray(scaled).reshape(len(values), features)


def _encoding_of(notes: dict[str, Any], *, where: str) -> Encoding | None:
    """The encoding in a network's notes; None if they hold none."""
    if "encoding" not in notes:
        return None
    return convert_document(notes["encoding"], Encoding, where=where)


@dataclass(frozen=True)
class _Header:
    """What a file says about a predictor besides its arrays."""

    spec: NetworkSpec
    scales: tuple[Positive, ...]
    encoding: Encoding


def _from_file(path: Path) -> tuple[Approximated, Encoding]:
    header, arrays = read_npz(path, _KIND, _Header, lambda header: array_types(header.spec))
    network = Network(header.spec, seed=0)
    found = Approximated.of_arrays(network, arrays, header.scales, where=path)
    return found, header.encoding


def _exact(network: Network) -> Approximated:
    scales = (1.0,) * len(network.neuron_layers)
    return Approximated(network, exact_assignment(network), scales)


def _engine(approximated: Approximated, threads: int, *, compiled: bool) -> Engine:
    """What computes the logits: the kernels at once, or layer by layer for a graph."""
    network = approximated.network
    if is_chain(network):
        program = lower(network, approximated.assignment, approximated.scales)
        return _chain_engine(program, threads, compiled=compiled)
    return GraphEngine(network, lambda layer: _engine(_exact(layer), threads, compiled=compiled))


def _chain_engine(program: KernelProgram, threads: int, *, compiled: bool) -> Engine:
    if compiled:
        try:
            return _CompiledEngine(program, threads)
        except ImportError:  # no numba
            pass
    return lambda inputs: plain.run(program, inputs)


class _Kernel:
    """A compiled kernel and its program; every thread has its own scratch arrays.

    The kernel is compiled at its first call, which takes a second or two, once on a machine.
    """

    def __init__(self, run: Callable[..., None], packed: "Packed") -> None:
        self._run, self._sizes = run, packed.scratch_sizes
        self._program = (packed.stages, packed.operands, packed.in_places, packed.out_places)
        self._local = threading.local()

    def __call__(self, flat: Float32, first: int, count: int, logits: Float32) -> None:
        self._run(flat, first, count, logits, self._program, self._scratch())

    def _scratch(self) -> tuple[NDArray[Any], ...]:
        if not hasattr(self._local, "arrays"):
            cells, words, sums = self._sizes
            # Zeros: what no stage writes is padding.
            self._local.arrays = (
                _aligned(cells, np.float32),
                _aligned(words, np.int32),
                _aligned(sums, np.float32),
            )
        return self._local.arrays


class _CompiledEngine:
    """Divides a batch between threads, and each thread's part between the two kernels."""

    def __init__(self, program: KernelProgram, threads: int) -> None:
        from axnn.cpu.kernels.batch import run
        from axnn.cpu.kernels.llvm import BATCH
        from axnn.cpu.kernels.packing import pack
        from axnn.cpu.kernels.single import run_single

        self._batch, self._few = BATCH, BATCH // _IDLE
        self._of_batches = _Kernel(run, pack(program, BATCH))
        self._of_single = _Kernel(run_single, pack(program, 1))
        self._classes = len(program.logit_rows)
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None

    def __call__(self, inputs: Float32) -> Float32:
        logits = np.empty((len(inputs), self._classes), np.float32)
        blocks = -(-len(inputs) // self._batch)
        share = -(-blocks // self._threads) * self._batch
        flat = inputs.reshape(-1)
        if self._pool is None or blocks <= 1:
            self._part(flat, 0, len(inputs), logits)
            return logits
        starts = range(share, len(inputs), share)
        others = [
            self._pool.submit(self._part, flat, start, min(share, len(inputs) - start), logits)
            for start in starts
        ]
        self._part(flat, 0, min(share, len(inputs)), logits)
        for other in others:
            other.result()
        return logits

    def _part(self, flat: Float32, first: int, count: int, logits: Float32) -> None:
        left = count % self._batch
        few = left if left <= self._few else 0
        if count > few:
            self._of_batches(flat, first, count - few, logits)
        if few:
            self._of_single(flat, first + count - few, few, logits)


def _aligned(count: int, kind: type[np.generic]) -> NDArray[Any]:
    """Zeros aligned to a cache line: a vector in two lines takes twice the time to load."""
    line = 64
    whole = np.zeros(count * np.dtype(kind).itemsize + line, np.uint8)
    first = -whole.ctypes.data % line
    return whole[first : first + count * np.dtype(kind).itemsize].view(kind)
