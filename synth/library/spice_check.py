"""Checks the library's energies: whole circuits in SPICE against toggles times Liberty energies.

Run with `python -m synth.library.spice_check`. Three circuits: one inverter, a 4x4 array multiplier
and the multiplier with an accumulator of flip-flops. Both sides see the same random operands and
must end with the same outputs; the prediction comes from `gate_energy`, which counts glitches.
"""

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.table import Table

from qcnpe.command_line import command
from qcnpe.spec.documents import write_document
from qcnpe.spec.results import results_document
from qcnpe.terminal import Console
from synth.library.cells import library
from synth.library.constraints import DISTURBED
from synth.library.errors import SimulationError
from synth.library.gate_energy import GateSimulator, Instance, LibertyFile, Toggle
from synth.library.measure import HIGH, LOW, ramp_source
from synth.library.network import GROUND, SUPPLY
from synth.library.spice import Waveforms, run, simulator_version
from synth.library.technology import TECHNOLOGY

LIBERTY = Path(__file__).parent.parent / "tech" / "axnn45.lib"
COMMAND = "python -m synth.library.spice_check"

OUTPUT_LOAD_FF, SLEW_PS, SEED = 2.0, 20.0, 1
START_PS, CYCLE_PS = 500.0, 2000.0
CLEARING = 2  # cycles that clear the accumulator before energy counts


@dataclass(frozen=True)
class Circuit:
    """A mapped netlist, its inputs, its loaded outputs, and which input is the clock."""

    name: str
    instances: tuple[Instance, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    clock: str = ""


@dataclass(frozen=True)
class Comparison:
    """Supply energy in fJ of a whole run, measured and predicted."""

    name: str
    spice_fj: float
    predicted_fj: float

    @property
    def error(self) -> float:
        """Signed error of the prediction, as a fraction."""
        return self.predicted_fj / self.spice_fj - 1


def inverter() -> Circuit:
    """A single inverter."""
    return Circuit("inverter", (Instance("u", "INV_X1", {"A": "a", "ZN": "y"}),), ("a",), ("y",))


def multiplier(bits: int = 4, drive: str = "XL") -> Circuit:
    """Unsigned array multiplier: rows of carry-save adders, then a ripple row."""
    made, product = _array(bits, drive)
    inputs = tuple(f"{x}{i}" for x in "ab" for i in range(bits))
    return Circuit(f"multiplier_{bits}x{bits}", tuple(made), inputs, tuple(product))


def multiply_accumulate(bits: int = 4, drive: str = "XL") -> Circuit:
    """The array multiplier with a ripple adder and an accumulator of single-phase flip-flops."""
    made, product = _array(bits, drive)
    for i, net in enumerate(product):
        made.append(
            _adder(f"acc{i}", drive, f"q{i}", net, f"ac{i}" if i else "", f"d{i}", f"ac{i + 1}")
        )
        clear = {"A1": f"d{i}", "A2": "run", "Z": f"n{i}"}
        made.append(Instance(f"clear{i}", f"AND2_{drive}", clear))
        made.append(Instance(f"ff{i}", f"DFFQ_{drive}", {"D": f"n{i}", "CK": "ck", "Q": f"q{i}"}))
    inputs = ("ck", "run", *(f"{x}{i}" for x in "ab" for i in range(bits)))
    outputs = tuple(f"q{i}" for i in range(len(product)))
    return Circuit(f"multiply_accumulate_{bits}x{bits}", tuple(made), inputs, outputs, "ck")


def _adder(name: str, drive: str, a: str, b: str, c: str, s: str, co: str) -> Instance:
    """Full adder, or half adder where there is no third operand."""
    pins = {"A": a, "B": b, "S": s, "CO": co}
    if not c:
        return Instance(name, f"HA_{drive}", pins)
    return Instance(name, f"FA_{drive}", {**pins, "CI": c})


def _array(bits: int, drive: str) -> tuple[list[Instance], list[str]]:
    made = [
        Instance(f"and{i}_{j}", f"AND2_{drive}", {"A1": f"a{i}", "A2": f"b{j}", "Z": f"p{i}_{j}"})
        for j in range(bits)
        for i in range(bits)
    ]
    sums = [f"p{i}_0" for i in range(bits)]
    product, top = [sums[0]], ""
    for j in range(1, bits):
        upper = [*sums[1:], top]
        carry, new = "", []
        for i in range(bits):
            operands = [n for n in (f"p{i}_{j}", upper[i], carry) if n]
            s, co = f"s{i}_{j}", f"c{i}_{j}"
            made.append(
                _adder(
                    f"add{i}_{j}",
                    drive,
                    operands[0],
                    operands[1],
                    operands[2] if len(operands) > 2 else "",
                    s,
                    co,
                )
            )
            new.append(s)
            carry = co
        sums, top = new, carry
        product.append(sums[0])
    return made, [*product, *sums[1:], top]


def stimulus(circuit: Circuit, cycles: int) -> list[Toggle]:
    """Random operands a cycle, from all zero; the clock rises in mid cycle and falls at its end."""
    source = random.Random(SEED)
    levels = dict.fromkeys(circuit.inputs, 0)
    toggles = []
    for cycle in range(cycles):
        start = START_PS + cycle * CYCLE_PS
        for pin in circuit.inputs:
            if pin == circuit.clock:
                toggles += [Toggle(start, pin, 0), Toggle(start + CYCLE_PS / 2, pin, 1)]
                continue
            if pin == "run":
                toggles += [Toggle(start, pin, 1)] if cycle == CLEARING else []
                continue
            value = 1 - levels[pin] if len(circuit.inputs) == 1 else source.randrange(2)
            if value != levels[pin]:
                levels[pin] = value
                toggles.append(Toggle(start, pin, value))
    return [t for t in toggles if not (t.pin == circuit.clock and t.time_ps == START_PS)]


def simulate(circuit: Circuit, toggles: list[Toggle], stop_ps: float) -> Waveforms:
    """The whole circuit in SPICE."""
    cells = library()
    lines = [cells[name].spice() for name in sorted({i.cell for i in circuit.instances})]
    for item in circuit.instances:
        nets = " ".join(item.pins[p] for p in cells[item.cell].pins)
        lines.append(f"X{item.name} {nets} {SUPPLY} {GROUND} {item.cell}")
    lines += [f"CL{o} {o} 0 {OUTPUT_LOAD_FF}f" for o in circuit.outputs]
    for pin in circuit.inputs:
        times = [t.time_ps for t in toggles if t.pin == pin]
        lines.append(ramp_source(pin, times, 0, SLEW_PS / (HIGH - LOW)))
    save = [f"i(V{SUPPLY})", *(f"v({o})" for o in circuit.outputs)]
    return run("\n".join(lines), f"tran 1p {stop_ps}p 0 25p", save)


def supply_energy_fj(waves: Waveforms, begin_ps: float) -> float:
    """Energy from the supply from a time on."""
    time = waves.time_s * 1e12
    inside = time >= begin_ps
    current = waves.supplied(f"V{SUPPLY}")
    return float(np.trapezoid(current[inside], time[inside])) * 1e3 * TECHNOLOGY.vdd_v


def compare(circuit: Circuit, liberty: LibertyFile, cycles: int = 40) -> Comparison:
    """Measure and predict one circuit.

    Raises
    ------
    SimulationError
        the two simulations end with different outputs.
    """
    toggles = stimulus(circuit, cycles)
    stop = START_PS + cycles * CYCLE_PS
    simulator = GateSimulator(liberty, circuit.instances, circuit.outputs, OUTPUT_LOAD_FF)
    begin = START_PS + CLEARING * CYCLE_PS - SLEW_PS
    cleared = simulator.run([t for t in toggles if t.time_ps < begin], SLEW_PS)
    predicted = simulator.run([t for t in toggles if t.time_ps >= begin], SLEW_PS) - cleared
    predicted += simulator.leakage_nw() * (stop - begin) * 1e-6
    waves = simulate(circuit, toggles, stop)
    for net in circuit.outputs:
        level = waves.voltage(net)[-1] / TECHNOLOGY.vdd_v
        if abs(level - simulator.values.get(net, 0)) > DISTURBED:
            raise SimulationError(
                f"{circuit.name}: SPICE ends with {net} at {level:.2f} of the "
                f"supply, gates with {simulator.values.get(net, 0)}"
            )
    return Comparison(circuit.name, supply_energy_fj(waves, begin), predicted)


def spice_error_max(comparisons: list[Comparison]) -> float:
    """Largest absolute error, as a fraction."""
    return max(abs(c.error) for c in comparisons)


def report(comparisons: list[Comparison]) -> dict[str, Any]:
    """The result file's document."""
    figures = {
        f"{c.name}.{k}": round(v, 4)
        for c in comparisons
        for k, v in (("spice_fj", c.spice_fj), ("predicted_fj", c.predicted_fj), ("error", c.error))
    }
    figures["spice_error_max"] = round(spice_error_max(comparisons), 4)
    versions = {"ngspice": simulator_version()}
    return results_document(COMMAND, figures, seed=SEED, versions=versions)


def main(
    out: Annotated[Path, typer.Option(help="JSON file to write")] = LIBERTY.parent
    / "spice_check.json",
    liberty: Annotated[Path, typer.Option(help="Liberty file to check")] = LIBERTY,
    cycles: Annotated[int, typer.Option(min=2, help="operands for each circuit")] = 40,
) -> None:
    """Compare SPICE with the Liberty file's energies."""
    with command("spice_check"):
        read = LibertyFile.read(liberty)
        done = [compare(c, read, cycles) for c in (inverter(), multiplier(), multiply_accumulate())]
        write_document(out, report(done))
    table = Table("circuit", "SPICE fJ", "predicted fJ", "error %")
    for c in done:
        table.add_row(c.name, f"{c.spice_fj:.1f}", f"{c.predicted_fj:.1f}", f"{100 * c.error:+.1f}")
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
