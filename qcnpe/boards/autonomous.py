"""An autonomous engine on a board, behind any port; the host is its external memory."""

import re
from collections.abc import Callable, Iterator, Sequence
from time import monotonic
from typing import Any

import numpy as np

from qcnpe.boards.port import Port
from qcnpe.boards.session import BoardSession
from qcnpe.image_driver import ImageTransport, LoadedImages, Octets
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import ConfigError, TransportError
from qcnpe.spec.frames import Kind, Operation, Request, cut_into_bodies
from qcnpe.spec.memory.config import Memory, MemoryConfig
from qcnpe.spec.memory.descriptors import DESCRIPTOR_BYTES, Base, Load
from qcnpe.spec.memory.image import Image
from qcnpe.spec.memory.machine import follow_image
from qcnpe.spec.memory.registers import MEMORY_COUNTERS, memory_registers
from qcnpe.spec.registers import REGISTER_BYTES, counter_names

_RUNS = re.compile(rb"\x01{2,65535}|(?:\x00|\x01(?!\x01))+")
"""Two bus words or more that are zero, or others; 1 stands for zero."""


class BoardEngine(BoardSession[MemoryConfig], ImageTransport):
    """A board's autonomous engine as a transport, used as a context manager; see `BoardSession`.

    The host sends what the engine reads, in the order in which the descriptors read it, and runs of
    zeros as their length. Inputs of further runs are sent while the engine computes.

    Parameters
    ----------
    port, timeout, attempts, clock : see `BoardSession`

    Attributes
    ----------
    config : the engine and its memories, as the board describes them

    Raises
    ------
    TransportError
        If there is no board, or not one of this version with an autonomous engine.
    """

    def __init__(
        self,
        port: Port,
        *,
        timeout: float = 2.0,
        attempts: int = 4,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._loaded = LoadedImages()
        table = memory_registers(MemoryConfig.default(EngineConfig()))
        super().__init__(port, table, timeout=timeout, attempts=attempts, clock=clock)

    def run(self, image: Image, inputs: Sequence[Octets]) -> list[Octets]:
        """Run an image on the board once for each input."""
        return self._retry(lambda: self._run(image, inputs))

    def counters(self) -> dict[str, int]:
        """All performance counters since the board's last reset."""
        return self._read_counters((*counter_names(self.config.engine), *MEMORY_COUNTERS))

    def _describe(self) -> MemoryConfig:
        self._loaded.clear()
        if self._link.welcome.store:
            raise TransportError(
                f"{self._port.name}: the board's engine is not autonomous; use it as a"
                " `BoardTransport`, or load another bitstream"
            )
        return self._memories(self._engine())

    def _memories(self, engine: EngineConfig) -> MemoryConfig:
        """The memories, from the registers."""
        depths = {memory: f"{memory.name.lower()}_depth" for memory in Memory}
        values = self._read(["memory_features", *depths.values()])
        features = self._fields("memory_features", values["memory_features"])
        rows: dict[str, Any] = {
            f"{memory.name.lower().rstrip('s')}_rows": values[register] + 1
            for memory, register in depths.items()
        }
        try:
            return MemoryConfig(
                engine=engine,
                banks=1 << features["banks"],
                bus_bits=8 * features["bus_bytes"],
                address_bits=features["address_bits"],
                **rows,
            )
        except ConfigError as error:
            raise self._not_described(error) from error

    def _run(self, image: Image, inputs: Sequence[Octets]) -> list[Octets]:
        starts = [self._loaded.begin(image) for _ in inputs]
        octets = self._collect(
            cut_into_bodies(run_requests(image, inputs, starts), self.config),
            Kind.RESULTS,
            size=self.config.bus_bytes,
            count=len(inputs) * image.output_bytes // self.config.bus_bytes,
        )
        return list(np.frombuffer(octets, np.uint8).reshape(len(inputs), -1))


def run_requests(
    image: Image, inputs: Sequence[Octets], starts: Sequence[tuple[int, int]]
) -> Iterator[Request]:
    """Operations that run an image once for each input.

    Parameters
    ----------
    image, inputs : see `ImageTransport.run`
    starts : values of the registers `boot` and `start` for each run
    """
    reads = {values: _read_words(image, *values) for values in set(starts)}
    offsets = {each.name: each.offset for each in memory_registers(image.config)}
    for each, values in zip(inputs, starts, strict=True):
        for name, value in zip(("boot", "start"), values, strict=True):
            words = value.to_bytes(REGISTER_BYTES, "little")
            yield Request(Operation.WRITE, 1, offsets[name], words)
        yield from _feed(_words_of(image, reads[values], each))


def _read_words(image: Image, boot: int, start: int) -> list[tuple[Base, int, int]]:
    """(base, first octet, octets) of everything that a run reads, in order."""
    machine = follow_image(image)
    machine.done.clear()
    machine.run(boot_rows=boot, start=start)
    loads = [each for each in machine.done if isinstance(each, Load)]
    if any(each.base == Base.OUTPUT for each in loads):
        raise ConfigError(
            "the image reads maps again that it has stored, which a board's host does not hold;"
            " compile it for boards with larger activation_rows, or lower the batch"
        )
    octets = image.config.bus_bytes
    return [
        *([(Base.IMAGE, 0, boot * DESCRIPTOR_BYTES)] if boot else []),
        *((Base(each.base), each.offset, each.rows * each.words * octets) for each in loads),
    ]


def _words_of(image: Image, reads: list[tuple[Base, int, int]], inputs: Octets) -> Octets:
    """(words, octets) bus words that a run reads."""
    memories = {Base.IMAGE: image.data, Base.INPUT: inputs}
    found = [memories[base][start : start + size] for base, start, size in reads]
    return np.concatenate(found).reshape(-1, image.config.bus_bytes)


def _feed(words: Octets) -> Iterator[Request]:
    """Operations that feed bus words (words, octets); two zeros or more by their number."""
    is_zero = (~words.any(axis=1)).tobytes()
    for run in _RUNS.finditer(is_zero):
        start, end = run.span()
        if end - start > 1 and is_zero[start]:
            yield Request(Operation.FEED_ZEROS, end - start)
        else:
            yield Request(Operation.FEED, end - start, 0, words[start:end].tobytes())
