"""The families of FPGAs, and how Yosys is asked to synthesise for them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

APART = (
    "setattr -mod -set keep_hierarchy 1 qcnpe_ncu_* qcnpe_afu_*",
    "setattr -mod -unset keep_hierarchy qcnpe_ncu_row_* *.*",
)
"""Commands before the synthesis: NCUs and AFUs, which are placed many times, are mapped once.

Their own parts, whose names have a dot, become one with them. Everything else is flattened.
"""

TOGETHER = (
    "setattr -mod -unset keep_hierarchy qcnpe_*",
    "flatten",
    # Only the names of flattened modules, which older nextpnr take for cells.
    "delete t:$scopeinfo",
    "opt_clean -purge",
    "autoname",
    "check -noinit",
    "stat",
    "blackbox =A:whitebox",
)
"""Commands behind the mapping: place and route take a flat netlist.

Names are given when it is flat: given before, some would be there twice.
"""


@dataclass(frozen=True, kw_only=True)
class Family:
    """A family of FPGAs.

    Attributes
    ----------
    name : Yosys' name of it
    options : of Yosys' synthesis for it, if multipliers are used
    options_in_luts : the same, if none are
    place_options : of nextpnr
    multiplier_bits : operand bits of its multipliers, both signed
    luts : lookup tables in each of Yosys' cells
    multiplier : Yosys' cell of a multiplier
    """

    name: str
    options: str
    options_in_luts: str
    place_options: str
    multiplier_bits: int
    luts: Mapping[str, int]
    multiplier: str

    @property
    def in_luts(self) -> "Family":
        """The family with multiplications in lookup tables alone."""
        return replace(self, options=self.options_in_luts)

    def synthesis(self, top: str) -> list[str]:
        """Yosys' commands between reading a design and writing its netlist."""
        return [*APART, f"synth_{self.name} {self.mapping} -top {top}", *TOGETHER]

    @property
    def mapping(self) -> str:
        """Options of Yosys' synthesis, up to what `TOGETHER` does in its place."""
        return f"{self.options} -run begin:check"


# With tables of more than four inputs, which the ECP5 makes of several with multiplexers behind, an
# NCU takes two thirds more of them.
ECP5 = Family(
    name="ecp5",
    options="-nowidelut",
    options_in_luts="-nowidelut -nodsp",
    # Of 8 x 8 NCUs it leaves three quarters of the wire that the default placer leaves.
    place_options="--placer static",
    multiplier_bits=18,
    luts={"LUT4": 1, "CCU2C": 2},
    multiplier="MULT18X18D",
)
ICE40 = Family(
    name="ice40",
    options="-dsp -spram",
    options_in_luts="-spram",
    place_options="",
    multiplier_bits=16,
    luts={"SB_LUT4": 1},
    multiplier="SB_MAC16",
)
