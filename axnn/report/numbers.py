"""Formats numbers for reports."""

NONE = "\N{EN DASH}"
"""In place of a missing number."""

TIMES = "\N{MULTIPLICATION SIGN}"

_MINUS = "\N{MINUS SIGN}"


def percent(fraction: float) -> str:
    """A fraction as a percentage."""
    return f"{100 * fraction:.2f} %"


def points(value: float, digits: int = 2) -> str:
    """A difference of percentages, always with its sign."""
    return f"{value:+.{digits}f}".replace("-", _MINUS)


def bound_points(bound: float) -> str:
    """A bound on the loss of accuracy, in percentage points."""
    return f"{bound:g} points"


def times(ratio: float | None) -> str:
    """A ratio."""
    return NONE if ratio is None else f"{ratio:.2f}{TIMES}"


def energy(picojoule: float) -> str:
    """An energy in the unit that suits its size."""
    value, unit = scaled_energy(picojoule)
    return f"{value:.3g} {unit}"


def scaled_energy(picojoule: float) -> tuple[float, str]:
    """An energy as a number and the unit that suits its size."""
    for factor, unit in ((1e6, "µJ"), (1e3, "nJ")):
        if picojoule >= factor:
            return picojoule / factor, unit
    return picojoule, "pJ"
