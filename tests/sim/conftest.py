"""One simulation of each size, for all tests of a worker."""

from collections.abc import Iterator

import pytest

from qcnpe.spec.config import EngineConfig
from sim.transport import SimulationTransport


@pytest.fixture(scope="session")
def engine4() -> Iterator[SimulationTransport]:
    """A 4x4 engine at full rate."""
    with SimulationTransport(EngineConfig(rows=4, cols=4)) as engine:
        yield engine
