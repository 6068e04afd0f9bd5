"""Characterises a few cells again and compares them with the committed Liberty file.

Run with `python -m synth.library.verify`; needs ngspice and fails without it. The tolerance covers
other versions of the simulator and of the mathematics library.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from qcnpe.command_line import command
from qcnpe.tasks import Workplace
from qcnpe.terminal import Console
from synth.library.cells import library
from synth.library.characterize import DEFAULT_OUT, characterize_all
from synth.library.gate_energy import Arc, LibertyCell, LibertyFile
from synth.library.liberty_writer import write_liberty

CELLS = ("INV_X1", "NAND2_XL", "FA_XL", "DFFQ_XL")
TOLERANCE = 0.02
# Differences below a quarter picosecond, 10 aJ, 1 aF or 0.01 nW are ignored.
FLOORS = {"timing": 0.00025, "power": 0.01, "capacitance": 0.001, "leakage": 0.01}


def differences(one: LibertyCell, other: LibertyCell) -> dict[str, float]:
    """Largest relative difference of timing, power, capacitance and leakage."""
    pins = one.capacitance_ff.keys() | other.capacitance_ff.keys()
    caps = [(one.capacitance_ff.get(p, 0.0), other.capacitance_ff.get(p, 0.0)) for p in pins]
    return {
        "timing": _worst(_entries(one.timing, other.timing), FLOORS["timing"]),
        "power": _worst(_entries(one.power, other.power), FLOORS["power"]),
        "capacitance": _worst(caps, FLOORS["capacitance"]),
        "leakage": _worst([(one.leakage_nw, other.leakage_nw)], FLOORS["leakage"]),
    }


def _entries(one: tuple[Arc, ...], other: tuple[Arc, ...]) -> list[tuple[float, float]]:
    pairs = []
    for a, b in zip(one, other, strict=True):
        for kind in a.tables:
            for row, again in zip(a.tables[kind].rows, b.tables[kind].rows, strict=True):
                pairs += list(zip(row, again, strict=True))
    return pairs


def _worst(pairs: list[tuple[float, float]], floor: float) -> float:
    return max(
        (abs(a - b) / max(abs(a), abs(b)) for a, b in pairs if abs(a - b) > floor), default=0.0
    )


def remade(names: tuple[str, ...], jobs: int) -> LibertyFile:
    """Characterise the cells without any cache and read the result back."""
    with TemporaryDirectory() as folder:
        tables = characterize_all(list(names), Path(folder), Workplace(workers=jobs))
        path = Path(folder) / "again.lib"
        path.write_text(write_liberty([(library()[n], tables[n]) for n in names], "again"))
        return LibertyFile.read(path)


def main(
    liberty: Annotated[Path, typer.Option(help="committed file")] = DEFAULT_OUT,
    jobs: Annotated[int, typer.Option(min=1, help="processes")] = 2,
) -> None:
    """Compare freshly measured cells with the committed file."""
    console = Console(soft_wrap=True)
    with command("verify"):
        committed, fresh = LibertyFile.read(liberty), remade(CELLS, jobs)
    good = True
    for name in CELLS:
        found = differences(committed.cells[name], fresh.cells[name])
        good &= max(found.values()) <= TOLERANCE
        console.print(f"{name}: " + ", ".join(f"{k} {100 * v:.2f} %" for k, v in found.items()))
    if not good:
        console.print(f"error: more than {TOLERANCE:.0%} apart; run `make library` and review")
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
