"""Many more sessions with faults than `test_sessions` has time for."""

import os

import pytest

from tests.qcnpe.boards.sessions import check_random_sessions

SESSIONS = int(os.environ.get("SESSIONS", "20000"))
PART = 500


@pytest.mark.parametrize("first", range(1000, 1000 + SESSIONS, PART))
def test_random_faults(first):
    endings = check_random_sessions(range(first, first + PART))
    finished = sum(ending.error is None for ending in endings)
    faults = sum(ending.port.faults for ending in endings)
    print(f"{PART} sessions, {faults} faults, {finished} with results, the others with an error")
