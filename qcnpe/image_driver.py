"""The host's driver of autonomous engines: on a model, a simulation or a board, the same code."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from qcnpe.spec.errors import FormatError, InputError
from qcnpe.spec.inputs import check_codes
from qcnpe.spec.memory.config import MemoryConfig
from qcnpe.spec.memory.descriptors import Base
from qcnpe.spec.memory.image import Image
from qcnpe.spec.memory.machine import FaultError, Machine

Octets = NDArray[np.uint8]


class ImageTransport(ABC):
    """A way to an autonomous engine.

    Attributes
    ----------
    config : the engine and its memories
    """

    config: MemoryConfig

    @abstractmethod
    def run(self, image: Image, inputs: Sequence[Octets]) -> list[Octets]:
        """Run an image once for each input; returns what each run writes.

        What stays in the engine's memories is loaded if the last run was not one of this image.

        Parameters
        ----------
        image : of a network, for the engine's memories
        inputs : `image.input_bytes` octets each, see `Image.pack_inputs`

        Raises
        ------
        TransportError
            If the engine does not answer, or a run does not end well.
        """


class LoadedImages:
    """What an engine's memories hold, and so how the next run starts."""

    def __init__(self) -> None:
        self._loaded: list[Image] = []
        self._last: Image | None = None

    def clear(self) -> None:
        """Treat the memories as empty."""
        self._loaded, self._last = [], None

    def begin(self, image: Image) -> tuple[int, int]:
        """Values of the registers `boot` and `start` for a run of an image, which is loaded then.

        An image whose data are those of the last one is beside it; see `qcnpe.placement.join`.
        """
        last, self._last = self._last, image
        if last is None or last.data is not image.data:
            self._loaded = [image]
            return image.boot_rows, image.start
        if all(each is not image for each in self._loaded):
            self._loaded.append(image)
            return 0, image.start
        return image.again_boot_rows, image.again if last is image else image.resume


class ImageModel(ImageTransport):
    """The reference model of the memory side as a transport.

    Parameters
    ----------
    config : the engine and its memories
    """

    def __init__(self, config: MemoryConfig) -> None:
        self.config = config
        self._loaded = LoadedImages()
        self._machine = Machine(config)

    def run(self, image: Image, inputs: Sequence[Octets]) -> list[Octets]:
        """Execute the descriptors in the model."""
        found = []
        for each in inputs:
            output = np.zeros(image.output_bytes, np.uint8)
            self._machine.external = {Base.IMAGE: image.data, Base.INPUT: each, Base.OUTPUT: output}
            boot, start = self._loaded.begin(image)
            try:
                self._machine.run(boot_rows=boot, start=start)
            except FaultError:
                self._loaded.clear()
                raise
            found.append(output)
        return found


class ImageDriver:
    """Host side of an autonomous engine.

    Parameters
    ----------
    transport : the way to the engine
    """

    def __init__(self, transport: ImageTransport) -> None:
        self.transport = transport

    def run(self, image: Image, inputs: NDArray[np.int16]) -> NDArray[np.int16]:
        """Outputs of the last layer.

        Parameters
        ----------
        image : of a network, see `qcnpe.placement.build.place_network`
        inputs : int16 (samples, features), a multiple of the image's batch, see
            `QuantNet.quantize_inputs`

        Returns
        -------
        (samples, outputs) int16, channels outermost.

        Raises
        ------
        InputError
            If the inputs are of another type or shape.
        FormatError
            If the image was made for other memories.
        """
        channels, height, width = image.input_shape
        check_codes(inputs, channels * height * width, where="the image")
        if not len(inputs) or len(inputs) % image.batch:
            raise InputError(
                f"samples must be a multiple of the image's batch of {image.batch}, not"
                f" {len(inputs)}"
            )
        if image.config != self.transport.config:
            raise FormatError("the image was made for other memories; compile it for these")
        parts = range(0, len(inputs), image.batch)
        packed = [image.pack_inputs(inputs[start : start + image.batch]) for start in parts]
        return np.concatenate(
            [image.unpack_outputs(each) for each in self.transport.run(image, packed)]
        )
