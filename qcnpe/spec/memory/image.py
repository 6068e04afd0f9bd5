"""Images: what external memory holds for an autonomous engine, and where it finds its samples."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qcnpe.spec.config import OPERAND_BITS
from qcnpe.spec.fixed import narrow
from qcnpe.spec.memory.config import Memory, MemoryConfig
from qcnpe.spec.memory.maps import StoredMap, block_order


@dataclass(frozen=True, eq=False, kw_only=True)
class PlacedMap:
    """A map at one width in the activation banks.

    Position `origin + sample * sample_step + line * pitch + column` holds a place of the map.

    Attributes
    ----------
    map : order of its channels
    width : operand width in bits
    pairs : slots in a word
    words : words of a position
    origin, pitch, sample_step : in positions
    positions : in all, with margins
    first : row of the first word of position 0
    """

    map: StoredMap
    width: int
    pairs: int
    words: int
    origin: int
    pitch: int
    sample_step: int
    positions: int
    first: int = 0

    def rows(self, banks: int) -> int:
        """Rows of the banks that it takes."""
        return -(-self.positions // banks) * self.words

    def places(self, batch: int) -> NDArray[np.intp]:
        """(batch, height, width) positions."""
        _, height, width = self.map.shape
        lines = np.arange(height)[:, None] * self.pitch + np.arange(width)
        return self.origin + np.arange(batch)[:, None, None] * self.sample_step + lines

    def pack(self, values: NDArray[np.integer], banks: int) -> NDArray[np.uint16]:
        """(rows, banks) words of a map (batch, features), zero where there is no value."""
        shape = (len(values), *self.map.shape)
        channels = np.asarray(values, np.int64).reshape(shape).transpose(0, 2, 3, 1)
        found = np.zeros((self.rows(banks), banks), np.uint16)
        bank, row, place = self._fields(len(values), banks)
        mask = (1 << self.width) - 1
        np.bitwise_or.at(found, (row, bank), ((channels & mask) << place).astype(np.uint16))
        return found

    def unpack(self, words: NDArray[np.uint16], batch: int) -> NDArray[np.int64]:
        """Signed values (batch, features) of a map from its words (rows, banks)."""
        bank, row, place = self._fields(batch, words.shape[1])
        fields = (words[row, bank].astype(np.int64) >> place) & ((1 << self.width) - 1)
        signed = fields - ((fields >> (self.width - 1)) << self.width)
        return signed.transpose(0, 3, 1, 2).reshape(batch, -1)

    def _fields(
        self, batch: int, banks: int
    ) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
        """Bank, row from the map's first, and lowest bit of (batch, height, width, channel)."""
        positions = self.places(batch)[..., None]
        word, slot = np.divmod(self.map.slots, self.pairs)
        row = positions // banks * self.words + word
        low = slot * self.width if self.pairs > 1 else np.full_like(slot, OPERAND_BITS - self.width)
        bank, row, low = np.broadcast_arrays(positions % banks, row, low)
        return bank, row, low


@dataclass(frozen=True, kw_only=True)
class MapTransfer:
    """A map in external memory.

    Attributes
    ----------
    map : where it lies in the banks
    offset : in bytes, from the base register of inputs or outputs
    bank_words : bus words of each row
    shift : right shift from 16-bit values to its own
    unsigned : its values saturate to unsigned
    """

    map: PlacedMap
    offset: int
    bank_words: int
    shift: int = 0
    unsigned: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class Image:
    """A network in the memory of an autonomous engine.

    Attributes
    ----------
    config : the engine and its memories
    data : uint8, what lies at the address in the register `image`
    boot_rows : value of the register `boot` at the first start
    again : row of the start of further runs
    again_boot_rows : value of the register `boot` at their starts; zero if all descriptors fit
    batch : samples in one run
    inputs : the network's input at each width that is read, in the memory at `input`
    input_factor : neighbouring columns of the input that are channels of these maps
    output : the result, in the memory at `output`
    input_bytes, output_bytes : sizes of those memories; behind the result lie maps that do not fit
        the banks
    start : row of the first start
    resume : row of the start after a run of another image with the same data; see
        `qcnpe.placement.join`
    """

    config: MemoryConfig
    data: NDArray[np.uint8]
    boot_rows: int
    again: int
    again_boot_rows: int
    batch: int
    inputs: tuple[MapTransfer, ...]
    input_factor: int
    output: MapTransfer
    input_bytes: int
    output_bytes: int
    start: int = 0
    resume: int = 0

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of the input."""
        channels, height, width = self.inputs[0].map.map.shape
        return channels // self.input_factor, height, width * self.input_factor

    def pack_inputs(self, inputs: NDArray[np.int16]) -> NDArray[np.uint8]:
        """The memory at `input` for the samples of one run (batch, features)."""
        found = np.zeros(self.input_bytes, np.uint8)
        inputs = inputs[:, block_order(self.input_shape, self.input_factor)]
        for each in self.inputs:
            values: NDArray[np.integer] = inputs
            if each.map.width < OPERAND_BITS:
                values = narrow(inputs, each.shift, each.map.width, unsigned=each.unsigned)
            rows = np.zeros((each.map.rows(self.config.banks), self._row_bytes), np.uint8)
            packed = each.map.pack(values, self.config.banks).astype("<u2")
            rows[:, : packed.shape[1] * 2] = packed.view(np.uint8)
            found[each.offset : each.offset + rows.size] = rows.ravel()
        return found

    def unpack_outputs(self, memory: NDArray[np.uint8]) -> NDArray[np.int16]:
        """Results (batch, outputs) of one run from the memory at `output`."""
        placed = self.output.map
        words = self.output.bank_words * self.config.bus_bytes
        size = placed.rows(self.config.banks) * words
        found = memory[self.output.offset :][:size].reshape(-1, words).view("<u2")
        rows = np.zeros((len(found), self.config.banks), np.uint16)
        used = min(found.shape[1], self.config.banks)
        rows[:, :used] = found[:, :used]
        return placed.unpack(rows, self.batch).astype(np.int16)

    @property
    def _row_bytes(self) -> int:
        return self.config.row_words(Memory.ACTIVATIONS) * self.config.bus_bytes
