"""The units of an autonomous engine around its engine, whose energies are priced apart."""

import re

from synth.errors import SynthesisError

_BEGINNINGS = {
    "memory_side.tap_walker": "fetch",
    "memory_side.fetch": "fetch",
    "memory_side.taps": "fetch",
    "memory_side.lanes": "fetch",
    "memory_side.weights": "fetch",
    "memory_side.write": "write_back",
    "memory_side.store_lanes": "write_back",
    "memory_side.processor": "processor",
    "memory_side.descriptors": "processor",
    "memory_side.commands": "processor",
    "memory_side.parameter": "processor",
    "memory_side.loader": "transfer",
    "memory_side.storer": "transfer",
    "memory_side.filler": "transfer",
    "memory_side": "banks",
    "reader": "axi",
    "writer": "axi",
    "engine": "control",
    "registers": "control",
    "counters": "control",
    "run_control": "control",
    "interrupt_causes": "control",
}
"""Unit by the beginning of an instance's path; the first match counts."""


_NUMBER = re.compile(r"\$\d+")
"""What Amaranth adds to names that stand twice."""


def memory_unit_of(path: tuple[str, ...]) -> str:
    """The unit to which an instance belongs, given the names of instances from the top to it."""
    whole = _NUMBER.sub("", ".".join(path))
    for beginning, unit in _BEGINNINGS.items():
        if whole.startswith(beginning):
            return unit
    if not path:
        return "control"
    raise SynthesisError(f"instance {whole} of the engine belongs to no unit that has prices")
