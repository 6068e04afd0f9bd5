"""Adder trees of the cells of any library compute the same sums."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from synth.adder_tree import Gate
from synth.flow import DEFAULT_LIBERTY
from synth.liberty.library import Library, read_library
from synth.partial_products import ProductPlan
from synth.structural import MacTree
from synth.tree_cells import OWN_CELLS, ForeignCells, tree_cells

KITS = Path(__file__).parent / "kits"

LIBRARIES = {
    "own": (DEFAULT_LIBERTY,),
    "45 nm": (KITS / "open45.lib",),
    "180 nm": (KITS / "open180_gates.lib", KITS / "open180_registers.lib"),
    "no adder": (KITS / "open130_unquoted.lib",),
}

GENERIC: Mapping[str, Callable[..., int]] = {
    "$_NOT_": lambda a: 1 - a,
    "$_BUF_": lambda a: a,
    "$_AND_": lambda a, b: a & b,
    "$_NAND_": lambda a, b: 1 - (a & b),
    "$_OR_": lambda a, b: a | b,
    "$_NOR_": lambda a, b: 1 - (a | b),
    "$_XOR_": lambda a, b: a ^ b,
    "$_XNOR_": lambda a, b: 1 - (a ^ b),
}
"""Yosys' gates, from its manual."""


def drive(gate: Gate, library: Library, nets: dict[str, int]) -> None:
    """Set the outputs of a gate."""
    if gate.cell in GENERIC:
        *inputs, output = gate.pins.values()
        nets[output] = GENERIC[gate.cell](*(nets[net] for net in inputs))
        return
    cell = library.cells[gate.cell]
    pins = {pin: nets[gate.pins[pin]] for pin in cell.inputs}
    for pin, function in cell.outputs.items():
        nets[gate.pins[pin]] = function.evaluate(pins)


def bits_of(name: str, value: int, count: int) -> Mapping[str, int]:
    """Nets of a port."""
    return {f"{name} [{bit}]": value >> bit & 1 for bit in range(count)}


def total_of(tree: MacTree, stored: int) -> int:
    """The number that a stored value stands for: true bits, carries at their columns."""
    true = stored ^ tree.inverted_bits
    width = tree.plan.accumulator_bits
    total = true & ((1 << width) - 1)
    return total + sum((true >> width + n & 1) << column for n, column in enumerate(tree.breaks))


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_tree_of_any_library_adds_exactly(name: str) -> None:
    library = read_library(*LIBRARIES[name])
    plan = ProductPlan(precisions=(8, 4), bits=8, accumulator_bits=20)
    tree = MacTree(plan, breaks=(5, 9, 13), cells=tree_cells(library))
    gates, stored = tree.built
    rng = np.random.default_rng(6)
    for mode in range(len(plan.modes)):
        for _ in range(12):
            a, w, before, first = rng.integers((256, 256, 1 << tree.stored_bits, 2)).tolist()
            masks = sum((not mask[mode]) << n for n, mask in enumerate(tree.masks))
            controls = sum(control[mode] << n for n, control in enumerate(tree.controls))
            nets = {
                **bits_of("activations", a ^ 0xFF, 8),
                **bits_of("weights", w, 8),
                **bits_of("masks", masks, len(tree.masks)),
                **bits_of("controls", controls, len(tree.controls)),
                **bits_of("constants", plan.constants[mode], 20),
                **bits_of("total", before, tree.stored_bits),
                "first": first,
                "keep": 1 - first,
            }
            for gate in sorted(gates.gates, key=lambda gate: not gate.name.startswith("feedback")):
                drive(gate, library, nets)
            after = sum(nets[bit.net] << place for place, bit in enumerate(stored))
            wanted = plan.value(mode, a, w) + (0 if first else total_of(tree, before))
            assert (total_of(tree, after) - wanted) % (1 << 20) == 0, (mode, a, w)


@pytest.mark.parametrize(
    ("name", "adder", "note"),
    [
        ("own", "FAI_XS", "adder trees of NCUs are made of full adders FAI_XS"),
        ("45 nm", "FA_X1", "adder trees of NCUs are made of full adders FA_X1"),
        ("no adder", None, "adder trees of NCUs are made of gates, since there is no full adder"),
    ],
)
def test_says_what_adders_are_made_of(name: str, adder: str | None, note: str) -> None:
    cells = tree_cells(read_library(*LIBRARIES[name]))
    found = cells.adder("XS")
    assert (found.cell if found else None) == adder
    assert cells.note == note
    assert (cells is OWN_CELLS) is (name == "own")


def test_the_smallest_adder_is_taken_whether_it_inverts_or_not(tmp_path: Path) -> None:
    """Our own library without one of the cells by which it is recognised."""
    text = DEFAULT_LIBERTY.read_text().replace("cell (NAND2_XS)", "cell (OTHER)")
    (tmp_path / "renamed.lib").write_text(text)
    cells = tree_cells(read_library(tmp_path / "renamed.lib"))
    assert isinstance(cells, ForeignCells)
    adder = cells.adder("XS")
    assert adder
    assert (adder.cell, adder.carry, adder.total, adder.inverts) == ("FAI_XL", "CON", "SN", True)
    assert cells.gate("NAND2", "XS").cell == "NAND2_XL"  # a smaller one must not be placed
    assert 20 < cells.delays.adder_carry_ps < cells.delays.adder_sum_ps < 200
