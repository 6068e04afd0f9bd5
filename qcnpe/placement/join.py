"""Images side by side: networks that all stay in an engine's memories, and take turns there.

Of each image the descriptors move to other rows, and what it keeps in the engine to rows behind
those of the images before it. The maps of all images share the activation banks; where an image
keeps zeros there, they are written again after a run of another one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from qcnpe.placement.build import move_tiles
from qcnpe.placement.residency import LOADED
from qcnpe.spec.errors import CapacityError, FormatError
from qcnpe.spec.memory.config import Memory, MemoryConfig
from qcnpe.spec.memory.descriptors import (
    DESCRIPTOR_BYTES,
    Base,
    Descriptor,
    Fault,
    Fill,
    Load,
    Table,
    Tiles,
    decode_descriptor,
)
from qcnpe.spec.memory.image import Image


def join_images(images: Sequence[Image]) -> tuple[Image, ...]:
    """Images of the same networks with one common `data`.

    Parameters
    ----------
    images : at least one, all for the same memories

    Raises
    ------
    CapacityError
        If an image does not stay in the memories, or not all of them fit.
    FormatError
        If they were made for different memories.
    """
    config = images[0].config
    if any(image.config != config for image in images):
        raise FormatError("images side by side were made for different memories; compile them anew")
    lists = [_descriptors(image) for image in images]
    head = sum(map(len, lists))
    if head > config.descriptor_rows:
        raise CapacityError(
            f"images side by side have {head} descriptors; set descriptor_rows, which is"
            f" {config.descriptor_rows}"
        )
    rows, row, place = dict.fromkeys(LOADED, 0), 0, head * DESCRIPTOR_BYTES
    moved: list[Descriptor] = []
    contents, found = [], []
    for image, descriptors in zip(images, lists, strict=True):
        own = len(descriptors) * DESCRIPTOR_BYTES
        moved += [_move(each, rows, place - own, config) for each in descriptors]
        setup = descriptors[: image.again]
        fills = sum(isinstance(each, Fill) for each in setup)
        found.append(
            replace(
                image,
                boot_rows=head,
                start=row,
                again=row + image.again,
                resume=row + image.again - fills,
            )
        )
        for memory, used in _used_rows(setup).items():
            rows[memory] += used
        contents.append(image.data[own:])
        row, place = row + len(descriptors), place + len(image.data) - own
    for memory, used in rows.items():
        if used > config.depth(memory):
            raise CapacityError(
                f"images side by side need {used} rows of {memory.name.lower()}, which has"
                f" {config.depth(memory)}; make it larger"
            )
    octets = b"".join(each.word().to_bytes(DESCRIPTOR_BYTES, "little") for each in moved)
    data = np.concatenate([np.frombuffer(octets, np.uint8), *contents])
    return tuple(replace(image, data=data) for image in found)


def _used_rows(setup: Sequence[Descriptor]) -> dict[Memory, int]:
    """Rows of each memory up to the last one that is loaded."""
    found = dict.fromkeys(LOADED, 0)
    for each in setup:
        if isinstance(each, Load):
            memory = Memory(each.memory)
            found[memory] = max(found[memory], each.row + each.rows)
    return found


def _descriptors(image: Image) -> list[Descriptor]:
    """The descriptors of an image all of whose memories stay loaded."""
    words = image.data[: image.boot_rows * DESCRIPTOR_BYTES].reshape(-1, DESCRIPTOR_BYTES)
    found = []
    for octets in words:
        descriptor = decode_descriptor(image.config, int.from_bytes(octets.tobytes(), "little"))
        assert not isinstance(descriptor, Fault)
        found.append(descriptor)
    again = [each for each in found[image.again :] if isinstance(each, Load)]
    if image.again_boot_rows or any(each.base == Base.IMAGE for each in again):
        raise CapacityError(
            "an image that is loaded again in every run cannot be beside others; make the memories"
            " larger"
        )
    return found


def _move(
    descriptor: Descriptor, rows: Mapping[Memory, int], octets: int, config: MemoryConfig
) -> Descriptor:
    """A descriptor whose contents lie so many rows, and octets of the image, further on."""
    entries = {memory: first * config.entries(memory) for memory, first in rows.items()}
    match descriptor:
        case Load(base=Base.IMAGE, memory=memory, row=row, offset=offset):
            return replace(descriptor, row=row + rows[Memory(memory)], offset=offset + octets)
        case Table(parameters=first):
            return replace(descriptor, parameters=first + entries[Memory.PARAMETERS])
        case Tiles():
            return move_tiles(descriptor, entries)
    return descriptor
