"""Tables over input transition and load, for any axes and units in the file."""

import math
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from synth.errors import LibertyError
from synth.liberty.grammar import Group
from synth.liberty.units import read_number

MAX_POINTS = 10_000
"""Most values of a table; real ones have a hundred."""

_SLEWS = ("input_net_transition", "input_transition_time")
_LOADS = ("total_output_net_capacitance",)


@dataclass(frozen=True)
class Lookup:
    """A table over input transition and load.

    Attributes
    ----------
    slews_ns, loads_ff : axes, rising; empty where the values do not depend on it
    values : (slews, loads), at least one of each
    """

    slews_ns: tuple[float, ...]
    loads_ff: tuple[float, ...]
    values: NDArray[np.float64]

    def at(self, slew_ns: float, load_ff: float) -> float:
        """Bilinear interpolation, linear extrapolation outside."""
        row, u = _place(self.slews_ns, slew_ns)
        col, v = _place(self.loads_ff, load_ff)
        values = self.values
        found = values[row, col]
        if v:
            found = found + v * (values[row, col + 1] - found)
        if u:
            above = values[row + 1, col]
            if v:
                above = above + v * (values[row + 1, col + 1] - above)
            found = found + u * (above - found)
        return float(found)


def _place(axis: Sequence[float], value: float) -> tuple[int, float]:
    """The point below a value and the fraction of the way to the next one."""
    if len(axis) < 2:
        return 0, 0.0
    index = min(max(bisect_right(axis, value) - 1, 0), len(axis) - 2)
    return index, (value - axis[index]) / (axis[index + 1] - axis[index])


@dataclass(frozen=True)
class TableReader:
    """Reads the tables of one library.

    Attributes
    ----------
    templates : `lu_table_template` and `power_lut_template` groups by name
    time_ns, capacitance_ff : units of the axes
    """

    templates: Mapping[str, Group]
    time_ns: float
    capacitance_ff: float

    def read(self, table: Group, unit: float) -> Lookup:
        """A table, its values times `unit`.

        Raises
        ------
        LibertyError
            If its axes are unknown, or do not fit its values.
        """
        axes = self._axes(table)
        values = _numbers(table.lists.get("values", ()), table)
        shape = [len(axis.points) for axis in axes]
        if len(values) != math.prod(shape):
            raise LibertyError(f"{_where(table)} has {len(values)} values, not {math.prod(shape)}")
        slews, loads = (_points(axes, names, table) for names in (_SLEWS, _LOADS))
        # Other axes, such as another output's load, come last; their smallest point is taken.
        order = sorted(range(len(axes)), key=lambda place: _rank(axes[place].variable))
        array = np.array(values).reshape(shape).transpose(order)
        return Lookup(
            slews_ns=tuple(self.time_ns * point for point in slews),
            loads_ff=tuple(self.capacitance_ff * point for point in loads),
            values=array.reshape(max(1, len(slews)), max(1, len(loads)), -1)[:, :, 0] * unit,
        )

    def _axes(self, table: Group) -> list["_Axis"]:
        template = self.templates.get(table.name)
        if template is None:
            if table.name.lower() not in ("scalar", ""):
                raise LibertyError(f"{_where(table)}: the library has no template of that name")
            return []
        found = []
        for number in (1, 2, 3):
            variable = template.attributes.get(f"variable_{number}")
            if variable is None:
                break
            index = f"index_{number}"
            points = _numbers(table.lists.get(index) or template.lists.get(index, ()), table)
            if any(low >= high for low, high in pairwise(points)):
                raise LibertyError(f"{_where(table)}: {index} does not rise")
            found.append(_Axis(variable, points))
        return found


@dataclass(frozen=True)
class _Axis:
    variable: str
    points: tuple[float, ...]


def _rank(variable: str) -> int:
    return 0 if variable in _SLEWS else 1 if variable in _LOADS else 2


def _points(axes: Sequence[_Axis], names: Sequence[str], table: Group) -> tuple[float, ...]:
    found = [axis.points for axis in axes if axis.variable in names]
    if len(found) > 1:
        raise LibertyError(f"{_where(table)} has two axes of {names[0]}")
    return found[0] if found else ()


def _numbers(lists: Sequence[str], table: Group) -> tuple[float, ...]:
    words = re.split(r"[,\s]+", " ".join(lists).strip(", \t\r\n"))
    if len(words) > MAX_POINTS:
        raise LibertyError(f"{_where(table)} has more than {MAX_POINTS} numbers")
    return tuple(read_number(word, f"a number of {_where(table)}") for word in words)


def _where(table: Group) -> str:
    return f"the table {table.kind}({table.name})"
