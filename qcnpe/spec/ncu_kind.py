"""The kinds of neural compute unit (NCU): one object holds everything in which a kind differs.

To add a kind, describe it by an `NcuKind` and pass it to `add_kind`; if no existing multiplier
suits it, write one (`qcnpe.rtl.mac.Mac`) and name it. Model, compiler, RTL, register file, commands
and prices use the object.
"""

import re
from dataclasses import dataclass

from qcnpe.spec.errors import ConfigError

OPERAND_BITS = 16
"""Bits that a lane carries in a cycle, and the width of the exact operands."""

CODE_BITS = 4
"""Bits of a kind's code in the register of features."""

_SMALLEST_WIDTH = 2
_NAME = re.compile(r"[a-z][a-z0-9]*")


@dataclass(frozen=True, kw_only=True)
class NcuKind:
    """A kind of neural compute unit.

    Attributes
    ----------
    name : value of `EngineConfig.ncu`; lower-case letters and digits, for module names
    code : its number in the register of features, 0..15; never reused for another kind
    widths : operand widths in bits that its engines may have, descending, the first one 16
    is_packed : a lane carries 16 / p operands of p bits; otherwise one operand, in its top bits
    is_gated : operand bits below a tile's precision are held at zero, and the host may lower the
        precision of tiles by a ceiling
    is_for_fpga : optimised for an FPGA: AFUs shift before their register, and engines with narrow
        precisions have more registers, see `EngineConfig.is_staged`
    price_prefix : prefix of the names of its NCU's events in the prices
    multiplier : `module:class` of its `qcnpe.rtl.mac.Mac`, which only the RTL imports

    Raises
    ------
    ConfigError
        If a value is out of range, or a lane cannot carry operands of one of the widths.
    """

    name: str
    code: int
    widths: tuple[int, ...]
    is_packed: bool = False
    is_gated: bool = False
    is_for_fpga: bool = False
    price_prefix: str
    multiplier: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ConfigError(f"name must be lower-case letters and digits, not {self.name!r}")
        if not 0 <= self.code < 1 << CODE_BITS:
            raise ConfigError(f"code must be 0..{(1 << CODE_BITS) - 1}, not {self.code}")
        self._check_widths()
        if self.is_packed and self.is_gated:
            raise ConfigError(f"ncu {self.name} must be packed or gated, not both")

    def _check_widths(self) -> None:
        shown = ",".join(map(str, self.widths))
        ordered = list(self.widths) == sorted(set(self.widths), reverse=True)
        if not ordered or self.widths[:1] != (OPERAND_BITS,) or self.widths[-1] < _SMALLEST_WIDTH:
            raise ConfigError(
                f"widths of ncu {self.name} must descend from {OPERAND_BITS}"
                f" to {_SMALLEST_WIDTH} at the lowest, not {shown or 'empty'}"
            )
        unfit = [str(width) for width in self.widths if OPERAND_BITS % width]
        if self.is_packed and unfit:
            raise ConfigError(
                f"widths of ncu {self.name} must divide {OPERAND_BITS}, since its lanes are packed,"
                f" not {','.join(unfit)}"
            )

    def choose(self, widths: tuple[int, ...]) -> tuple[int, ...]:
        """Those of the given widths that its engines may have."""
        return tuple(width for width in widths if width in self.widths)

    def pairs(self, width: int) -> int:
        """Operand pairs that a lane carries in one cycle at a width."""
        return OPERAND_BITS // width if self.is_packed else 1

    def mode_bits(self, precisions: tuple[int, ...]) -> int:
        """Bits of the index of a precision; zero if the NCUs do not depend on the precision."""
        return (len(precisions) - 1).bit_length() if self.is_packed else 0


_KINDS: dict[str, NcuKind] = {}


def add_kind(kind: NcuKind) -> NcuKind:
    """Register a kind, so that engines can use it; returns it.

    Raises
    ------
    ConfigError
        If another kind has its name or its code.
    """
    for other in _KINDS.values():
        if other != kind and (other.name == kind.name or other.code == kind.code):
            raise ConfigError(
                f"ncu {kind.name} must have a name and a code of its own: {other.name} has code"
                f" {other.code}"
            )
    _KINDS[kind.name] = kind
    return kind


def kinds() -> tuple[NcuKind, ...]:
    """All kinds, by ascending code."""
    return tuple(sorted(_KINDS.values(), key=lambda kind: kind.code))


def find_kind(name: str) -> NcuKind:
    """The kind of that name; `ConfigError` names all if there is none."""
    if name not in _KINDS:
        names = ", ".join(kind.name for kind in kinds())
        raise ConfigError(f"ncu must be one of {names}, not {name!r}")
    return _KINDS[name]


def kind_of_code(code: int) -> NcuKind:
    """The kind of that code; `ConfigError` if there is none."""
    for kind in _KINDS.values():
        if kind.code == code:
            return kind
    raise ConfigError(f"no kind of NCU has code {code}")


FUSED = add_kind(
    NcuKind(
        name="fused",
        code=0,
        widths=(16, 8, 4, 2),
        is_packed=True,
        price_prefix="ncu",
        multiplier="qcnpe.rtl.sum_of_products:SumOfProducts",
    )
)
"""Sub-word parallel."""

GATED = add_kind(
    NcuKind(
        name="gated",
        code=1,
        widths=tuple(range(16, 1, -1)),
        is_gated=True,
        price_prefix="gated",
        multiplier="qcnpe.rtl.sum_of_products:SumOfProducts",
    )
)
"""One product a cycle, low-order operand bits held at zero."""

PLAIN16 = add_kind(
    NcuKind(
        name="plain16",
        code=2,
        widths=(16,),
        price_prefix="plain16",
        multiplier="qcnpe.rtl.sum_of_products:SumOfProducts",
    )
)
"""Not configurable: the baseline for comparisons."""

DSP = add_kind(
    NcuKind(
        name="dsp",
        code=3,
        widths=(16, 8, 4, 2),
        is_packed=True,
        is_for_fpga=True,
        price_prefix="ncu",
        multiplier="qcnpe.rtl.shared_multipliers:SharedMultipliers",
    )
)
"""Computes as `fused`, optimised for an FPGA whose 16x16 multipliers form the widest products."""
