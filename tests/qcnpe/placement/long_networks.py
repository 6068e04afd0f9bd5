"""Many more random networks than `test_build` has time for: streams, results, parts of lists."""

import os

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

from qcnpe.spec.errors import CapacityError
from tests.qcnpe.networks import geometries
from tests.qcnpe.placement.test_build import SEEDS, check_geometry, engines

NETWORKS = int(os.environ.get("NETWORKS", "100000"))
PART = 500
LISTS = (8, 16, 64, 2048)
"""Rows of the memory of descriptors: from a list in many parts to one in a single part."""


@pytest.mark.parametrize("first", range(0, NETWORKS, PART))
def test_random_networks(first):
    """Streams are the driver's, array for array; results are the integer model's."""
    wanted = min(PART, NETWORKS - first)
    compared = refused = 0

    @seeded(first)
    @settings(
        max_examples=wanted,
        phases=[Phase.generate, Phase.shrink],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        geometries(),
        SEEDS,
        engines(),
        st.integers(1, 4),
        st.sampled_from([64, 128]),
        st.sampled_from(LISTS),
    )
    def run(geometry, seed, engine, batch, bus_bits, rows):
        nonlocal compared, refused
        try:
            check_geometry(geometry, seed, engine, batch, bus_bits=bus_bits, descriptor_rows=rows)
            compared += 1
        except CapacityError:
            refused += 1

    run()
    print(f"{compared} networks equal, {refused} refused: they do not fit the memories")
    assert compared + refused >= wanted
    assert refused < max(2, wanted // 10)
