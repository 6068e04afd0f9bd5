"""Numbers and units of a library; all other modules use ns, fF, fJ and nW."""

import math
import re
from dataclasses import dataclass

from synth.errors import LibertyError
from synth.liberty.grammar import Group

_QUANTITY = re.compile(r"\s*([\d.]*)\s*([munpf]?)([a-z]+)\s*", re.IGNORECASE)
_EXPONENTS = {"": 0, "m": -3, "u": -6, "n": -9, "p": -12, "f": -15}

MAX_SUPPLY_V = 100


@dataclass(frozen=True)
class Units:
    """Units of a library's numbers.

    Attributes
    ----------
    time_ns, capacitance_ff, energy_fj, leakage_nw, voltage_v : one unit of each
    """

    time_ns: float
    capacitance_ff: float
    energy_fj: float
    leakage_nw: float
    voltage_v: float


def read_number(text: str, what: str) -> float:
    """A finite number; otherwise `LibertyError`, which names `what`."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise LibertyError(f"{what} must be a number, not {text[:30]!r}")
    return value


def read_units(library: Group) -> Units:
    """Units of a `library` group.

    Raises
    ------
    LibertyError
        If one cannot be read.
    """
    given = library.attributes
    voltage_v = _quantity("voltage_unit", given.get("voltage_unit", "1V"), "v", 0)
    load = "".join(library.lists.get("capacitive_load_unit", ("1", "pf")))
    capacitance_ff = _quantity("capacitive_load_unit", load, "f", -15)
    leakage = given.get("leakage_power_unit", "1nW")
    return Units(
        time_ns=_quantity("time_unit", given.get("time_unit", "1ns"), "s", -9),
        capacitance_ff=capacitance_ff,
        energy_fj=capacitance_ff * voltage_v**2,
        leakage_nw=_quantity("leakage_power_unit", leakage, "w", -9),
        voltage_v=voltage_v,
    )


def _quantity(name: str, text: str, symbol: str, exponent: int) -> float:
    """A quantity such as `10ps`, in powers of ten of its unit."""
    match = _QUANTITY.fullmatch(text)
    if match is None or match[3].lower() != symbol:
        raise LibertyError(f"{name} must be a number of {symbol}, not {text[:30]!r}")
    value = read_number(match[1] or "1", name)
    if value <= 0:
        raise LibertyError(f"{name} must be positive, not {text[:30]!r}")
    places = _EXPONENTS[match[2].lower()] - exponent
    return value * 10**places if places >= 0 else value / 10**-places


def read_supply(library: Group) -> float | None:
    """Voltage of a library's operating conditions, in its unit, if it is stated.

    Raises
    ------
    LibertyError
        If it is not a voltage.
    """
    text = library.attributes.get("nom_voltage")
    chosen = library.attributes.get("default_operating_conditions")
    for group in library.of_kind("operating_conditions"):
        if group.name == chosen:
            text = group.attributes.get("voltage", text)
    if text is None:
        return None
    value = read_number(text, "the supply voltage")
    if not 0 < value < MAX_SUPPLY_V:
        raise LibertyError(f"the supply voltage must be 0..{MAX_SUPPLY_V}, not {text[:30]}")
    return value
