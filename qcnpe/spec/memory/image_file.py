"""The file of an image: a header of 32-bit words that a driver in C reads, then the image's data.

All words are unsigned, lowest octet first. `HEADER` is followed by a record `MAP` for each width of
the input and one for the output, then by the slot of each channel of the output. The data begins at
`data_offset`. A driver copies it to an address that is a multiple of the bus word, and writes
channel c of line y, column x of sample s at width w as follows (`inputs` records; `output`
likewise):

    position = origin + s * sample_step + y * pitch + x / factor
    slot = c * factor + x % factor      (of the output: the c-th of the slots)
    row = position / banks * words + slot / pairs
    octet = offset + row * row_bytes + position % banks * 2
    bit = pairs > 1 ? slot % pairs * width : 16 - width         (in the 16-bit word at that octet)
    value = saturate((sample + (1 << shift >> 1)) >> shift)     (to `width` bits, signed or not)

All other bits of the input are zero.

An engine can run the image if its array, precisions, banks and bus are the same, and each of its
memories is as deep or deeper, the activation banks with addresses of as many bits. Commands and
entries of tables number the precisions: on an engine of others they mean something else.

A file of several images, which lie side by side in the engine's memories, holds the header, records
and slots of each one after another, then the data of all. A start of an image that the engine holds
already is at `again` if the last run was one of this image, else at `resume`.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from qcnpe.spec.commands import encode
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.errors import FormatError
from qcnpe.spec.memory.config import Memory
from qcnpe.spec.memory.image import Image, MapTransfer
from qcnpe.spec.registers import feature_words, registers

MAGIC = int.from_bytes(b"QCNI", "little")
IMAGE_VERSION = 4
"""Changes whenever the header, a descriptor or an entry of a table changes its meaning."""

HEADER: tuple[tuple[str, str], ...] = (
    ("magic", "the letters QCNI"),
    ("version", "of this format"),
    ("data_offset", "octets before the data"),
    ("data_bytes", "octets of the data"),
    ("rows", "rows of the array"),
    ("cols", "columns of the array"),
    ("banks", "activation banks"),
    ("bus_bytes", "octets of a bus word"),
    ("features", "register `features` with zero as `ncu`: the kinds compute the same"),
    *((f"{memory.name.lower()}_rows", "rows of that memory") for memory in Memory),
    ("boot_rows", "register `boot` at the first start of any image of the file"),
    ("start", "row of the image's first start"),
    ("again", "row of further starts"),
    ("again_boot_rows", "register `boot` at further starts"),
    ("resume", "row of further starts after a run of another image"),
    ("batch", "samples in a run"),
    ("input_bytes", "octets of the memory at register `input`"),
    ("output_bytes", "octets at register `output`: results, then maps that do not fit the banks"),
    ("inputs", "records of the input"),
    ("slots", "slots of the output, one for each of its channels"),
    ("next", "octets from here to the next image's header; 0: this is the last one"),
)
"""Words of the header, and what they mean."""

MAP: tuple[tuple[str, str], ...] = (
    ("channels", "of the map"),
    ("height", "lines"),
    ("width_pixels", "columns"),
    ("factor", "neighbouring columns that share a position"),
    ("width", "operand width in bits"),
    ("shift", "right shift from 16 bits"),
    ("is_unsigned", "1: values saturate to unsigned"),
    ("pairs", "slots in a word"),
    ("words", "words of a position"),
    ("origin", "position of line 0, column 0 of sample 0"),
    ("pitch", "positions from line to line"),
    ("sample_step", "positions from sample to sample"),
    ("offset", "octets before its first row"),
    ("row_bytes", "octets of a row"),
)
"""Words of the record of a map, and what they mean."""

_ALIGNMENT = 64


MAX_IMAGES = 32
"""Images of a file."""


def encode_image(image: Image) -> bytes:
    """The octets of an image's file.

    Raises
    ------
    FormatError
        If the image is beside others.
    """
    if image.start:
        raise FormatError("an image beside others has no file of its own; write all of them")
    return encode_images([image])


def encode_images(images: Sequence[Image]) -> bytes:
    """The octets of a file of images.

    Parameters
    ----------
    images : one, or several side by side, see `qcnpe.placement.join`

    Raises
    ------
    FormatError
        If they are not side by side, or too many.
    """
    if not 1 <= len(images) <= MAX_IMAGES:
        raise FormatError(f"a file holds 1..{MAX_IMAGES} images, not {len(images)}")
    data = images[0].data
    if any(image.data is not data for image in images):
        raise FormatError("images of one file must lie side by side; join them first")
    sizes = [-(-4 * _word_count(image) // _ALIGNMENT) * _ALIGNMENT for image in images]
    found = b""
    for number, (image, size) in enumerate(zip(images, sizes, strict=True)):
        is_last = number == len(images) - 1
        words = _head_words(image, sum(sizes[number:]), 0 if is_last else size)
        found += _pack(words).ljust(size, b"\0")
    return found + data.tobytes()


def _word_count(image: Image) -> int:
    return len(HEADER) + (len(image.inputs) + 1) * len(MAP) + len(image.output.map.map.slots)


def _head_words(image: Image, data_offset: int, following: int) -> list[int]:
    """Header, records and slots."""
    config, outputs = image.config, image.output.map.map.slots.tolist()
    values = {
        "magic": MAGIC,
        "version": IMAGE_VERSION,
        "data_offset": data_offset,
        "data_bytes": len(image.data),
        "rows": config.engine.rows,
        "cols": config.engine.cols,
        "banks": config.banks,
        "bus_bytes": config.bus_bytes,
        "features": _features(config.engine),
        **{f"{memory.name.lower()}_rows": config.depth(memory) for memory in Memory},
        "boot_rows": image.boot_rows,
        "start": image.start,
        "again": image.again,
        "again_boot_rows": image.again_boot_rows,
        "resume": image.resume,
        "batch": image.batch,
        "input_bytes": image.input_bytes,
        "output_bytes": image.output_bytes,
        "inputs": len(image.inputs),
        "slots": len(outputs),
        "next": following,
    }
    head = [values[name] for name, _ in HEADER]
    for each in image.inputs:
        head += _map_words(image, each, image.input_factor)
    return [*head, *_map_words(image, image.output, 1), *outputs]


def _features(config: EngineConfig) -> int:
    fields = next(each for each in registers(config) if each.name == "features").fields
    return encode(fields, feature_words(config)["features"] | {"ncu": 0})


def _map_words(image: Image, each: MapTransfer, factor: int) -> list[int]:
    placed = each.map
    channels, height, width = placed.map.shape
    values = {
        "channels": channels // factor,
        "height": height,
        "width_pixels": width * factor,
        "factor": factor,
        "width": placed.width,
        "shift": each.shift if placed.width < OPERAND_BITS else 0,
        "is_unsigned": int(each.unsigned),
        "pairs": placed.pairs,
        "words": placed.words,
        "origin": placed.origin,
        "pitch": placed.pitch,
        "sample_step": placed.sample_step,
        "offset": each.offset,
        "row_bytes": each.bank_words * image.config.bus_bytes,
    }
    return [values[name] for name, _ in MAP]


def _pack(words: Iterable[int]) -> bytes:
    return np.array(list(words), "<u4").tobytes()
