"""Windows of which the largest value is taken, in stages that one layer of the engine can do."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from math import prod

from axnn.frontend.refusal import UnsupportedError
from qcnpe.spec.geometry import MAX_WINDOW

_MAX_STAGES = 128
"""Largest window that is made of overlapping pairs, each of which is a layer."""


@dataclass(frozen=True, kw_only=True)
class Windows:
    """Windows over a map.

    Attributes
    ----------
    size, stride : (vertical, horizontal)
    padding : (top, left, bottom, right) positions outside the map, which do not count
    """

    size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)

    @property
    def is_side_by_side(self) -> bool:
        """Whether they neither overlap, leave gaps nor reach over the edge."""
        return self.size == self.stride and not any(self.padding)

    def stages(self, shape: tuple[int, int, int]) -> tuple["Windows", ...]:
        """Windows of at most four positions that give the same results one after another.

        The largest of 3x3 values is that of 2x2 overlapping windows of 2x2.

        Parameters
        ----------
        shape : (channels, height, width) of the map

        Raises
        ------
        UnsupportedError
            If they are too large.
        """
        if prod(self.size) <= MAX_WINDOW:
            return (self,)
        axes = [list(self._axis_stages(axis, shape[1 + axis])) for axis in (0, 1)]
        return tuple(
            Windows(
                size=(rows.size, columns.size),
                stride=(rows.stride, columns.stride),
                padding=(rows.before, columns.before, rows.after, columns.after),
            )
            for rows, columns in zip_longest(*axes, fillvalue=_AxisStage(1, 1, 0, 0))
        )

    def _axis_stages(self, axis: int, positions: int) -> Iterator["_AxisStage"]:
        size, stride = self.size[axis], self.stride[axis]
        before, after = self.padding[axis], self.padding[2 + axis]
        is_single = positions + before + after < size + stride
        while size > 2:
            even_stride = is_single or stride % 2 == 0
            if size % 2 == before == after == 0 and even_stride:
                yield _AxisStage(2, 2, 0, 0)
                size, stride, positions = size // 2, stride // 2, positions // 2
            elif size > _MAX_STAGES:
                raise UnsupportedError(f"its windows of {size} need too many layers of pairs")
            else:  # overlapping pairs, which take up one position of the padding on each side
                pair = _AxisStage(2, 1, min(before, 1), min(after, 1))
                yield pair
                positions += pair.before + pair.after - 1
                size, before, after = size - 1, before - pair.before, after - pair.after
        if is_single:
            stride = size if positions + before + after < 2 * size else positions + before + after
        yield _AxisStage(size, stride, before, after)


@dataclass(frozen=True)
class _AxisStage:
    """One stage along one axis."""

    size: int
    stride: int
    before: int
    after: int
