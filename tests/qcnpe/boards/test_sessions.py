"""Whole frames lost, repeated, reordered, delayed, damaged: right results, or an error in time."""

import pytest

from tests.qcnpe.boards.frame_faults import FAULTS, Fault, FaultyPort, at
from tests.qcnpe.boards.sessions import TIMEOUT, check_random_sessions, run_session
from tests.qcnpe.boards.software_board import SoftwarePort


@pytest.mark.parametrize("way", ["to_board", "to_host"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.value)
def test_any_single_fault_is_overcome(fault, way):
    """One frame after another has the fault, until there are no more frames."""
    place, restarts = 0, 0

    def faulty(port: SoftwarePort) -> FaultyPort:
        choice = {way: at(place, fault)}
        return FaultyPort(port, port.clock, **choice, seed=place, longest=3 * TIMEOUT)

    while True:
        ending = run_session(faulty, range(2))
        assert ending.error is None, f"frame {place}: {ending.error}"
        assert ending.seconds < 8 * TIMEOUT, f"frame {place}"
        if not ending.port.faults:
            break
        place, restarts = place + 1, restarts + ending.restarts
    assert place > 10
    assert restarts > (0 if fault is Fault.SWAP else 3)


@pytest.mark.parametrize("part", range(4))
def test_random_faults(part):
    endings = check_random_sessions(range(75 * part, 75 * part + 75))
    assert {ending.error is None for ending in endings} == {True, False}
    assert sum(ending.restarts for ending in endings) > 30
