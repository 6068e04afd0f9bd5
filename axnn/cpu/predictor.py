"""The predictor: a trained or an approximate network, ready for use on an ordinary processor."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import isfinite, prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from axnn.cpu.choice.choose import Approximated, array_types
from axnn.cpu.errors import InputError
from axnn.cpu.kernels import plain
from axnn.cpu.kernels.stages import Program, lower
from axnn.cpu.kinds import exact_assignment
from axnn.nn.network import NETWORK_KIND, Network
from axnn.nn.spec import NetworkSpec
from qcnpe.spec.documents import Positive
from qcnpe.spec.errors import ConfigError
from qcnpe.spec.npz import npz_kind, read_npz, write_npz

if TYPE_CHECKING:
    from axnn.cpu.kernels.packing import Packed

Float32 = NDArray[np.float32]

_KIND = "axnn-predictor-1"

_IDLE = 8
"""Where at most one lane in so many would be of use, samples are computed singly: measured."""


class Predictor:
    """Classifies samples, with compiled kernels if numba is installed and in numpy if not.

    It may be used by many threads at once. The same samples give the same results to the last bit
    in whatever batches and by how many threads they are computed.

    Parameters
    ----------
    approximated : the network and the kinds of its channels
    threads : that a call may use; only batches of several vectors are divided
    compiled : False for numpy even if numba is there

    Examples
    --------
    >>> predictor = Predictor.load("build/cpu/digits/axnn-0.5.npz")  # doctest: +SKIP
    >>> predictor.predict(images)  # doctest: +SKIP
    """

    def __init__(
        self, approximated: Approximated, *, threads: int = 1, compiled: bool = True
    ) -> None:
        if threads < 1:
            raise ConfigError(f"threads must be at least 1, not {threads}")
        network = approximated.network
        self.input_shape = network.spec.input_shape
        self._features = prod(self.input_shape)
        self._approximated = approximated
        program = lower(network, approximated.assignment, approximated.scales)
        self.classes = len(program.logit_rows)
        self._engine = _engine(program, threads, compiled=compiled)

    @classmethod
    def exact(cls, network: Network, *, threads: int = 1, compiled: bool = True) -> "Predictor":
        """The predictor of a trained network as it is."""
        scales = (1.0,) * len(network.neuron_layers)
        approximated = Approximated(network, exact_assignment(network), scales)
        return cls(approximated, threads=threads, compiled=compiled)

    @classmethod
    def load(cls, path: Path | str, *, threads: int = 1, compiled: bool = True) -> "Predictor":
        """The predictor in a file: of `save`, or a network that `axnn train` trained, exact.

        Raises
        ------
        FormatError
            If the file is missing, damaged or of another kind.
        """
        path = Path(path)
        if npz_kind(path) == NETWORK_KIND:
            return cls.exact(Network.load(path)[0], threads=threads, compiled=compiled)
        return cls(_from_file(path), threads=threads, compiled=compiled)

    def save(self, path: Path | str) -> None:
        """Write all that the predictor needs to one file; nothing in it is ever unpickled."""
        found = self._approximated
        write_npz(Path(path), _KIND, _Header(found.network.spec, found.scales), found.arrays())

    def decision_function(self, inputs: ArrayLike) -> Float32:
        """Logits (samples, classes).

        Parameters
        ----------
        inputs : floating-point (samples, channels, height, width) or (samples, features)

        Raises
        ------
        InputError
            If shape or type are others, or a value is not finite.
        """
        return self._engine(self._checked(inputs))

    def predict(self, inputs: ArrayLike) -> NDArray[np.int64]:
        """(samples,) most probable class of each sample; inputs as in `decision_function`."""
        return self.decision_function(inputs).argmax(axis=1)

    def predict_proba(self, inputs: ArrayLike) -> Float32:
        """(samples, classes) probabilities; inputs as in `decision_function`."""
        logits = self.decision_function(inputs)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)

    def _checked(self, inputs: ArrayLike) -> Float32:
        """The inputs as float32 (samples, features), side by side in memory."""
        values = np.asarray(inputs)
        if values.dtype.kind != "f":
            raise InputError(
                f"inputs must be floating-point numbers, scaled as for the training, "
                f"not {values.dtype}"
            )
        features = self._features
        if values.shape[1:] not in (self.input_shape, (features,)):
            shape = ", ".join(str(size) for size in self.input_shape)
            raise InputError(
                f"inputs must be (samples, {shape}) or (samples, {features}), not {values.shape}"
            )
        flat = np.ascontiguousarray(values.reshape(len(values), features), np.float32)
        # One pass without a copy; a sum of squares is finite unless a value is not, or is huge.
        if not isfinite(np.vdot(flat, flat)):
            bad = np.flatnonzero(~np.isfinite(flat).all(axis=1))
            if len(bad):
                raise InputError(f"inputs must be finite: sample {bad[0]} holds NaN or infinity")
        return flat


@dataclass(frozen=True)
class _Header:
    """What a file says about a predictor besides its arrays."""

    spec: NetworkSpec
    scales: tuple[Positive, ...]


def _from_file(path: Path) -> Approximated:
    header, arrays = read_npz(path, _KIND, _Header, lambda header: array_types(header.spec))
    return Approximated.of_arrays(Network(header.spec, seed=0), arrays, header.scales, where=path)


def _engine(program: Program, threads: int, *, compiled: bool) -> Callable[[Float32], Float32]:
    if compiled:
        try:
            return _CompiledEngine(program, threads)
        except ImportError:  # no numba
            pass
    return lambda inputs: plain.run(program, inputs)


class _Kernel:
    """A compiled kernel and its program; every thread has scratch of its own.

    Compiling takes a second or two, once on a machine: not before it is needed.
    """

    def __init__(self, run: Callable[..., None], packed: "Packed") -> None:
        self._run, self._packed = run, packed
        self._local = threading.local()

    def __call__(self, flat: Float32, first: int, count: int, logits: Float32) -> None:
        packed = self._packed
        self._run(flat, first, count, logits, packed.stages, packed.operands, packed.in_places,
                  packed.out_places, *self._scratch())  # fmt: skip

    def _scratch(self) -> tuple[NDArray[Any], ...]:
        if not hasattr(self._local, "arrays"):
            cells, words, sums = self._packed.scratch_sizes
            # Zeros: what no stage writes is padding.
            self._local.arrays = (
                _aligned(cells, np.float32),
                _aligned(words, np.int32),
                _aligned(sums, np.float32),
            )
        return self._local.arrays


class _CompiledEngine:
    """Divides a batch between threads, and what each computes between the two kernels."""

    def __init__(self, program: Program, threads: int) -> None:
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
    """Zeros that begin at a line of the cache: a vector that lies in two lines takes twice."""
    line = 64
    whole = np.zeros(count * np.dtype(kind).itemsize + line, np.uint8)
    first = -whole.ctypes.data % line
    return whole[first : first + count * np.dtype(kind).itemsize].view(kind)
