"""The units of an engine: every distinct module once, with the number of its instances."""

import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from amaranth.hdl import Fragment

from qcnpe.generate import TOP
from qcnpe.rtl.engine import Engine
from qcnpe.rtl.leaf import Leaf, ModuleLibrary
from qcnpe.spec.config import EngineConfig

_BLOCKS = ("sequencer", "collector", "array.row_skew", "array.col_skew")
"""Parts of the top module that are reported separately, besides the leaves."""

_MODULE = re.compile(r"^module \\(\S+)$", re.MULTILINE)
_END = re.compile(r"(?<=^end\n)", re.MULTILINE)
_CELL = re.compile(r"^\s*cell \\(\S+) ", re.MULTILINE)


@dataclass(frozen=True)
class Units:
    """An engine's modules as RTLIL.

    Attributes
    ----------
    rtlil : the whole design
    places : number of instances of each unit in the engine, including the top
    """

    rtlil: str
    places: Mapping[str, int]

    def others(self, unit: str) -> frozenset[str]:
        """All units but one."""
        return frozenset(self.places) - {unit}

    def rtlil_of(self, unit: str) -> str:
        """A unit and all modules inside it.

        Without the rest of the engine it is mapped to the same netlist as on its own.
        """
        bodies = {_MODULE.findall(text)[0]: text for text in _END.split(self.rtlil) if text.strip()}
        wanted, waiting = {unit}, [unit]
        while waiting:
            inside = {kind for kind in _CELL.findall(bodies[waiting.pop()]) if kind in bodies}
            waiting += sorted(inside - wanted)
            wanted |= inside
        return "".join(text for name, text in bodies.items() if name in wanted)

    def keep_apart(self, unit: str) -> tuple[str, ...]:
        """Commands that make black boxes of the units inside of one."""
        inside = (kind for kind in _MODULE.findall(self.rtlil_of(unit)) if kind in self.places)
        others = " ".join(f"\\{name}" for name in inside if name != unit)
        return (f"blackbox {others}",) if others else ()


def elaborate_units(config: EngineConfig) -> Units:
    """Convert an engine, each distinct component once, and count the instances of each unit."""
    return collect_units(Engine(config), ModuleLibrary())


def collect_units(engine: Engine, library: ModuleLibrary, inside: Collection[str] = ()) -> Units:
    """The units of an engine.

    Parameters
    ----------
    engine : the engine
    library : collects its modules
    inside : modules that are parts of units, not units of their own
    """
    top = library.convert(engine, TOP, engine)
    rtlil = "".join((*library.modules.values(), top))
    units = {TOP, *library.modules, *(f"{TOP}.{block}" for block in _BLOCKS)} - set(inside)
    total = _count_places(_children(rtlil), TOP)
    return Units(rtlil, {name: total[name] for name in sorted(units & set(total))})


def leaf_rtlil(leaf: Leaf) -> str:
    """A single leaf and its submodules as RTLIL."""
    library = ModuleLibrary()
    Fragment.get(leaf, library)
    return "".join(library.modules.values())


def short_name(module: str) -> str:
    """A unit's name for tables: without the common prefix."""
    return "top" if module == TOP else re.sub(rf"^({TOP}\.(array\.)?|qcnpe_|axnn_)", "", module)


def _children(rtlil: str) -> dict[str, Counter[str]]:
    """For each module, the number of instances of each other module in it."""
    pieces = _MODULE.split(rtlil)
    bodies = dict(zip(pieces[1::2], pieces[2::2], strict=True))
    return {
        name: Counter(kind for kind in _CELL.findall(body) if kind in bodies)
        for name, body in bodies.items()
    }


def _count_places(children: Mapping[str, Counter[str]], top: str) -> Counter[str]:
    total = Counter({top: 1})
    for child, count in children[top].items():
        for name, places in _count_places(children, child).items():
            total[name] += places * count
    return total
