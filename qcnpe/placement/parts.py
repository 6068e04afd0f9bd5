"""Lists of descriptors that are longer than their memory, in parts that load one another."""

from collections.abc import Sequence
from dataclasses import dataclass

from qcnpe.spec.errors import CapacityError
from qcnpe.spec.memory.config import Memory, MemoryConfig
from qcnpe.spec.memory.descriptors import DESCRIPTOR_BYTES, Base, Descriptor, Jump, Load, Wait

_LINKS = 3
"""Descriptors of a part that load the next one and go on there."""


@dataclass(frozen=True)
class DescriptorList:
    """Descriptors in the order in which an image holds them.

    Attributes
    ----------
    descriptors : all parts, one after another
    boot_rows : of the first run
    again, again_boot_rows : row of the start, and rows loaded first, of a further run
    """

    descriptors: tuple[Descriptor, ...]
    boot_rows: int
    again: int
    again_boot_rows: int


def cut_descriptors(
    setup: Sequence[Descriptor], run: Sequence[Descriptor], config: MemoryConfig
) -> DescriptorList:
    """Parts of at most half of the descriptor memory, if all do not fit; they alternate in it.

    Parameters
    ----------
    setup : what only the first run does
    run : what every run does
    config : the memories

    Raises
    ------
    CapacityError
        If the memory is too small for parts.
    """
    whole = [*setup, *run]
    if len(whole) <= config.descriptor_rows:
        return DescriptorList(tuple(whole), len(whole), len(setup), 0)
    half = config.descriptor_rows // 2
    size = half - _LINKS
    if size < 1:
        raise CapacityError(
            f"{config.descriptor_rows} descriptors cannot load further ones; set descriptor_rows"
        )
    parts = [whole[start : start + size] for start in range(0, len(whole), size)]
    again = len(setup) if len(setup) < size else 0
    found: list[Descriptor] = []
    for number, part in enumerate(parts[:-1]):
        rows = len(parts[number + 1]) + (_LINKS if number + 2 < len(parts) else 0)
        load = Load(
            memory=Memory.DESCRIPTORS,
            row=(number + 1) % 2 * half,
            rows=rows,
            words=config.row_words(Memory.DESCRIPTORS),
            base=Base.IMAGE,
            offset=(len(found) + len(part) + _LINKS) * DESCRIPTOR_BYTES,
        )
        before = again if number == 0 else 0  # a further run does not pass the setup
        found += [*part[:before], load, *part[before:], Wait(loads=True), Jump(row=load.row)]
    first = len(parts[0]) + _LINKS
    return DescriptorList((*found, *parts[-1]), first, again, first)
