"""What convolutions and pools have in common: windows that slide over one or two axes."""

from dataclasses import dataclass
from math import ceil

from axnn.frontend.attributes import integer, sizes, word
from axnn.frontend.graph import Node
from axnn.frontend.refusal import UnsupportedError

Pair = tuple[int, int]
Sides = tuple[int, int, int, int]

_LARGEST = 1 << 22


@dataclass(frozen=True, kw_only=True)
class Sliding:
    """Windows of a node, in two dimensions; a sequence has one row.

    Attributes
    ----------
    kernel, stride, dilation : (vertical, horizontal)
    padding : (top, left, bottom, right)
    """

    kernel: Pair
    stride: Pair
    dilation: Pair
    padding: Sides

    @classmethod
    def of(cls, node: Node, kernel: tuple[int, ...], shape: tuple[int, ...]) -> "Sliding":
        """The windows that a node's attributes describe.

        Parameters
        ----------
        node : a convolution or a pool
        kernel : size along each axis
        shape : size of the map along each axis
        """
        axes = len(shape)
        if axes not in (1, 2) or len(kernel) != axes:
            raise UnsupportedError(f"its windows {kernel} do not fit a map of {shape}")
        ones = (1,) * axes
        stride, dilation = sizes(node, "strides", ones), sizes(node, "dilations", ones)
        if min(*kernel, *stride, *dilation) < 1 or max(*kernel, *stride, *dilation) > _LARGEST:
            raise UnsupportedError(f"its windows {kernel}, {stride}, {dilation} must be positive")
        found = cls(
            kernel=_pair(kernel),
            stride=_pair(stride),
            dilation=_pair(dilation),
            padding=_sides(sizes(node, "pads", (0,) * 2 * axes)),
        )
        return found._with_automatic_padding(word(node, "auto_pad", "NOTSET"), _pair(shape))

    def _with_automatic_padding(self, rule: str, shape: Pair) -> "Sliding":
        if rule == "NOTSET":
            return self
        before, after = [0, 0], [0, 0]
        if rule in ("SAME_UPPER", "SAME_LOWER"):
            for axis, size in enumerate(shape):
                total = max(0, self._reach(axis, ceil(size / self.stride[axis])) - size)
                small, large = total // 2, total - total // 2
                upper = rule == "SAME_UPPER"
                before[axis], after[axis] = (small, large) if upper else (large, small)
        elif rule != "VALID":
            raise UnsupportedError(f"auto_pad {rule!r} is unknown")
        return Sliding(
            kernel=self.kernel,
            stride=self.stride,
            dilation=self.dilation,
            padding=(before[0], before[1], after[0], after[1]),
        )

    def _reach(self, axis: int, results: int) -> int:
        """Positions that so many windows cover along an axis."""
        window = (self.kernel[axis] - 1) * self.dilation[axis] + 1
        return (results - 1) * self.stride[axis] + window

    def rounded_up(self, node: Node, shape: tuple[int, ...]) -> "Sliding":
        """With the padding at the end that a pool's `ceil_mode` amounts to."""
        if not integer(node, "ceil_mode", 0):
            return self
        after = list(self.padding[2:])
        for axis, size in enumerate(_pair(shape)):
            begin, padded = self.padding[axis], size + self.padding[axis] + after[axis]
            results = ceil((padded - self._reach(axis, 1)) / self.stride[axis]) + 1
            if (results - 1) * self.stride[axis] >= size + begin:
                results -= 1  # a window must not begin in the padding at the end
            after[axis] = max(after[axis], self._reach(axis, results) - size - begin)
        top, left = self.padding[:2]
        return Sliding(
            kernel=self.kernel,
            stride=self.stride,
            dilation=self.dilation,
            padding=(top, left, after[0], after[1]),
        )


def _pair(values: tuple[int, ...]) -> Pair:
    return (values[0], values[1]) if len(values) == 2 else (1, values[0])


def _sides(values: tuple[int, ...]) -> Sides:
    if max(values) > _LARGEST:
        raise UnsupportedError(f"its padding {values} is too large")
    if len(values) == 4:
        return values[0], values[1], values[2], values[3]
    return 0, values[0], 0, values[1]
