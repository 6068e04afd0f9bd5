"""The families of FPGAs, with everything in which they differ."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from qcnpe.boards.pll import PllBuilder, add_ecp5_pll, add_ice40_pll
from qcnpe.spec.errors import ConfigError

APART = (
    "setattr -mod -set keep_hierarchy 1 qcnpe_ncu_* qcnpe_afu_*",
    "setattr -mod -unset keep_hierarchy qcnpe_ncu_row_* *.*",
)
"""Commands before the synthesis: neural compute units (NCUs) and activation function units (AFUs),
which are placed many times, are mapped once.

Their submodules, whose names have a dot, are flattened into them. Everything else is flattened.
"""

TOGETHER = (
    "setattr -mod -unset keep_hierarchy qcnpe_*",
    "flatten",
    # They hold only names of flattened modules, and older versions of nextpnr take them for cells.
    "delete t:$scopeinfo",
    "opt_clean -purge",
    "autoname",
    "check -noinit",
    "stat",
    "blackbox =A:whitebox",
)
"""Commands after the mapping: place and route take a flat netlist.

Automatic names are given after flattening: before, some would be used twice.
"""


@dataclass(frozen=True, kw_only=True)
class PlacedCells:
    """nextpnr's names of a family's cells.

    Attributes
    ----------
    lut : lookup table, or the logic cell that holds one
    multiplier : hard multiplier of 16 or 18 bits
    block_ram : block memory
    """

    lut: str
    multiplier: str
    block_ram: str


@dataclass(frozen=True, kw_only=True)
class MultiplierPath:
    """The path through a multiplier without registers, which nextpnr's timing model lacks.

    nextpnr models the multiplier as a register with a constant clock; a path that ends there and
    one that begins there are the two parts of the real path.

    Attributes
    ----------
    clock : nextpnr's name of that clock
    delay_ns : from the multiplier's inputs to its outputs
    """

    clock: str
    delay_ns: float


@dataclass(frozen=True, kw_only=True)
class Family:
    """A family of FPGAs: everything in which families differ.

    Attributes
    ----------
    name : Yosys' name of the family
    devices : prefix of the names of its devices
    add_pll : adds its PLL to a module
    options : of Yosys' synthesis, with hard multipliers
    options_in_luts : of Yosys' synthesis, without hard multipliers
    place_options : of nextpnr
    multiplier_bits : operand bits of its multipliers, both signed
    luts : lookup tables in each of Yosys' cells
    multiplier : Yosys' cell of a multiplier
    placed : nextpnr's names of its cells
    multiplier_path : the path that nextpnr's timing model lacks, if there is one
    """

    name: str
    devices: str
    add_pll: PllBuilder
    options: str
    options_in_luts: str
    place_options: str
    multiplier_bits: int
    luts: Mapping[str, int]
    multiplier: str
    placed: PlacedCells
    multiplier_path: MultiplierPath | None = None

    def check(self, device: str) -> None:
        """Check that a device is of this family.

        Raises
        ------
        ConfigError
            If it is of another one, known or not.
        """
        if not device.startswith(self.devices):
            raise ConfigError(
                f"device {device} is not of the family {self.name} ({self.devices}...); name its"
                " family in qcnpe/boards/catalog.py, or add one to qcnpe/boards/family.py"
            )

    @property
    def in_luts(self) -> "Family":
        """The family with multiplications in lookup tables alone."""
        return replace(self, options=self.options_in_luts)

    def synthesis(self, top: str) -> list[str]:
        """Yosys' commands between reading a design and writing its netlist."""
        return [*APART, f"synth_{self.name} {self.mapping} -top {top}", *TOGETHER]

    @property
    def mapping(self) -> str:
        """Options of Yosys' synthesis, which ends where `TOGETHER` begins."""
        return f"{self.options} -run begin:check"


# With tables of more than four inputs, which the ECP5 builds from several tables and multiplexers,
# an NCU takes two thirds more tables.
ECP5 = Family(
    name="ecp5",
    devices="LFE5U",
    add_pll=add_ecp5_pll,
    options="-nowidelut",
    options_in_luts="-nowidelut -nodsp",
    # For 8 x 8 NCUs it needs three quarters of the wire length of the default placer.
    place_options="--placer static",
    multiplier_bits=18,
    luts={"LUT4": 1, "CCU2C": 2},
    multiplier="MULT18X18D",
    placed=PlacedCells(lut="TRELLIS_COMB", multiplier="MULT18X18D", block_ram="DP16KD"),
)
ICE40 = Family(
    name="ice40",
    devices="iCE40",
    add_pll=add_ice40_pll,
    options="-dsp -spram",
    options_in_luts="-spram",
    place_options="",
    multiplier_bits=16,
    luts={"SB_LUT4": 1},
    multiplier="SB_MAC16",
    placed=PlacedCells(lut="ICESTORM_LC", multiplier="ICESTORM_DSP", block_ram="ICESTORM_RAM"),
    # IceStorm's table for the UP5K has up to 9 ns.
    multiplier_path=MultiplierPath(clock="PACKER_GND_NET", delay_ns=10.0),
)
