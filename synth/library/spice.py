"""Runs ngspice on a deck and reads back its waveforms."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from qcnpe.tools import process
from qcnpe.tools.find import NGSPICE
from synth.library.models import model_cards, model_file
from synth.library.network import GROUND, SUPPLY
from synth.library.technology import TECHNOLOGY

Array = np.ndarray
# One thread: each core runs a cell of its own, and ngspice's threads wait actively.
SETTINGS = "set num_threads=1\nset ngbehavior=hsa\n"
OPTIONS = ".options reltol=5e-4 abstol=1e-14 chgtol=1e-17 gmin=1e-15 itl1=500 itl4=50\n"

LIMIT_S = 900
"""Longest time of a simulation; a busy machine takes minutes for a flip-flop."""


@dataclass(frozen=True)
class Waveforms:
    """Time in seconds and named signals: net voltages, `i(vname)` source currents."""

    time_s: Array
    signals: dict[str, Array]

    def voltage(self, net: str) -> Array:
        """Voltage of a net in V."""
        return self.signals[f"v({net.lower()})"]

    def supplied(self, source: str) -> Array:
        """Current in A that the named voltage source delivers."""
        return -self.signals[f"i({source.lower()})"]


@cache
def simulator_version() -> str:
    """Version of ngspice, such as `ngspice-39`.

    Raises
    ------
    ToolMissingError
        It is not installed.
    """
    with TemporaryDirectory(prefix="qcnpe-") as folder:
        command = [NGSPICE.require(), "--version"]
        said = process.run(NGSPICE.name, command, Path(folder), limit_s=30, check=False)
    words = [w for w in said.stdout.split() if w.startswith("ngspice-")]
    return words[0] if words else "ngspice"


@cache
def header() -> str:
    """Models, temperature, tolerances and supply, common to all decks."""
    tech = TECHNOLOGY
    cards = model_cards(model_file().read_text(), (tech.n_model, tech.p_model))
    return (
        f"{cards}{OPTIONS}.temp {tech.temperature_c}\n"
        f"V{SUPPLY} {SUPPLY} 0 {tech.vdd_v}\nV{GROUND} {GROUND} 0 0\n"
    )


def run(body: str, analysis: str, save: list[str]) -> Waveforms:
    """Simulate a deck (without title, models, supply) and return the saved vectors.

    Raises
    ------
    ToolMissingError
        ngspice is not installed.
    ToolError
        It takes too long or writes nothing.
    """
    with TemporaryDirectory(prefix="qcnpe-") as name:
        folder = Path(name)
        (folder / ".spiceinit").write_text(SETTINGS)
        deck = (
            f"axnn45\n{header()}{body}\n.control\nset filetype=binary\nsave {' '.join(save)}\n"
            f"{analysis}\nwrite out.raw {' '.join(save)}\n.endc\n.end\n"
        )
        (folder / "deck.sp").write_text(deck)
        command = [NGSPICE.require(), "-b", "deck.sp"]
        with process.Process(NGSPICE.name, command, folder) as simulator:
            simulator.wait(LIMIT_S)
            raw = folder / "out.raw"
            if not raw.exists():  # its status says little
                raise simulator.failure()
            return _read_raw(raw.read_bytes())


def _read_raw(data: bytes) -> Waveforms:
    head, _, body = data.partition(b"Binary:\n")
    lines = head.decode().splitlines()
    names = [s.split()[1].lower() for s in lines[lines.index("Variables:") + 1 :] if s.strip()]
    values = np.frombuffer(body, dtype=np.float64)
    values = values[: len(values) // len(names) * len(names)].reshape(-1, len(names))
    columns = {name: values[:, i] for i, name in enumerate(names)}
    return Waveforms(columns.get("time", np.zeros(len(values))), columns)
