"""The units of an engine whose energies are priced apart, and the events that happen in each."""

from synth.errors import SynthesisError

UNITS = ("ncu", "row", "skew", "queue", "sequencer", "afu", "result")
"""Neural compute units (NCUs); rows without them (ORs, resolving, complements); skew; queues of
commands, operands and parameters; sequencer; activation function units (AFUs); results: copies,
queues and collector."""

_BEGINNINGS = {
    "array.row_skew": "skew",
    "array.col_skew": "skew",
    "array.row_": "row",
    "afu_": "afu",
    "knots": "afu",
    "collector": "result",
    "sequencer": "sequencer",
    "command_queue": "queue",
    "activation_queue": "queue",
    "weight_queue": "queue",
    "parameter_queue": "queue",
}
"""Unit by the beginning of an instance's path; the first match counts."""


def unit_of(path: tuple[str, ...]) -> str:
    """The unit to which an instance belongs, given the names of instances from the top to it."""
    if any(name.startswith("ncu_") for name in path):
        return "ncu"
    whole = ".".join(path)
    for beginning, unit in _BEGINNINGS.items():
        if whole.startswith(beginning):
            return unit
    if not path:
        return "sequencer"
    raise SynthesisError(f"instance {whole} of the engine belongs to no unit that has prices")
