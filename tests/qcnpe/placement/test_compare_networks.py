"""The comparison of random networks: it finds what differs, and goes on where it ended."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import qcnpe
from qcnpe.spec.errors import CapacityError
from qcnpe.spec.memory.config import Memory
from qcnpe.spec.memory.machine import Machine
from qcnpe.tasks import Workplace
from qcnpe.terminal import Console
from tests.qcnpe.placement import compare_networks
from tests.qcnpe.placement.compare_networks import (
    COMPARED,
    KINDS,
    PART,
    Work,
    compare_all,
    compare_part,
    parts_of,
)
from tests.qcnpe.placement.random_networks import SMALL_ROWS, RandomNetwork


def test_networks_are_equal_and_the_same_again():
    for number in range(4):
        RandomNetwork.draw(7, number).compare()
    one, two = (RandomNetwork.draw(7, 3).inputs for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_draws_reach_the_whole_space():
    drawn = [RandomNetwork.draw(2, number) for number in range(150)]
    engines = [each.config.engine for each in drawn]
    assert {each.rows for each in engines} == {each.cols for each in engines} == set(range(1, 17))
    assert {each.ncu for each in engines} == {"fused", "gated", "dsp"}
    middle = [each.net.layers[1].sources[0].geometry for each in drawn]
    for name, count in (
        ("kernel", 9),
        ("stride", 6),
        ("dilation", 6),
        ("groups", 3),
        ("pool", 7),
        ("pool_stride", 7),
    ):
        assert len({getattr(each, name) for each in middle}) == count, name
    assert all(len({each.padding[side] for each in middle}) == 3 for side in range(4))
    assert {len(np.unique(each.net.layers[1].precision)) for each in drawn} >= {1, 2, 3, 4}
    assert {each.is_late for each in drawn} == {False, True}
    for memory in (Memory.ACTIVATIONS, Memory.WEIGHTS):
        assert {each.small.depth(memory) for each in drawn} > set(SMALL_ROWS)


@pytest.mark.parametrize("name", ["_activations", "_write"])
def test_a_difference_is_counted_and_named(name, monkeypatch):
    """An operand of which one bit is wrong; results that are not stored."""
    right = getattr(Machine, name)

    def wrong(*arguments):
        return right(*arguments) ^ 1 if name == "_activations" else None

    monkeypatch.setattr(Machine, name, wrong)
    told: list[str] = []
    assert compare_part(7, (2, 1), told.append)["differences"] == 1
    assert "network 2" in told[0]


def test_finished_parts_are_kept(monkeypatch):
    """Of three parts one is finished, one has a network that does not fit."""
    monkeypatch.setattr(compare_networks, "PART", 2)
    seen, kept = [], []

    class Drawn:
        def __init__(self, number):
            self.number = number

        def compare(self):
            if self.number == 4:
                raise CapacityError("it does not fit")
            strips, resident = ([1, 2], set()) if self.number else ([1], {Memory.WEIGHTS})
            return SimpleNamespace(places=SimpleNamespace(strips=[strips]), resident=resident)

    def draw(seed, number):
        seen.append(number)
        return Drawn(number)

    monkeypatch.setattr(RandomNetwork, "draw", draw)
    done = {"2": dict(zip(KINDS, (2, 0, 0, 1, 0), strict=True))}
    work = Work(seed=1, networks=5, first=0, sources="", parts=done)
    found = compare_all(work, Workplace(), lambda each: kept.append(len(each.parts)), Console())
    assert seen == [0, 1, 4]
    assert kept == [2, 3]
    assert found == dict(zip(KINDS, (4, 1, 0, 2, 1), strict=True))


def test_parts_cover_all_networks_once():
    parts = parts_of(2 * PART + 3, 10)
    assert [first for first, _ in parts] == [10, 10 + PART, 10 + 2 * PART]
    assert [count for _, count in parts] == [PART, PART, 3]


def test_digest_covers_the_modules_that_are_compared():
    """What a fresh interpreter loads for the driver, the placement and the model."""
    program = (
        "import sys, qcnpe.driver, qcnpe.placement.build, qcnpe.spec.memory.machine\n"
        "loaded = [sys.modules[name] for name in sys.modules if name.startswith('qcnpe.')]\n"
        "print('\\n'.join(module.__file__ for module in loaded))"
    )
    found = subprocess.run(
        [sys.executable, "-I", "-c", program], check=True, capture_output=True, text=True
    )
    root = Path(qcnpe.__file__).parent
    covered = {path for part in COMPARED for path in root.glob(part)}
    assert {Path(name) for name in found.stdout.splitlines()} <= covered
