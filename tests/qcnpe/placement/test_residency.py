"""What stays in a memory from run to run: contents are there when their phase is computed."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qcnpe.placement.build import place_network
from qcnpe.placement.report import PlacementReport
from qcnpe.placement.residency import Content, plan_memory
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.geometry import Geometry
from qcnpe.spec.inference import infer
from qcnpe.spec.memory.config import Memory
from qcnpe.spec.memory.cycles import count_run
from qcnpe.spec.memory.machine import run_image
from tests.qcnpe.networks import by_channel, network, random_inputs, random_layer
from tests.qcnpe.placement.memories import memories
from tests.qcnpe.placement.test_build import ENGINES, check


def content(number, rows):
    """Rows that all have the same number."""
    return Content(np.full((rows, 8), number, np.uint8))


def follow(plan, depth):
    """Load what the first run and every run loads, and look at each phase when it is computed."""
    memory = np.zeros((depth, 8), np.uint8)

    def load(phase):
        octets = plan.contents[phase].octets
        memory[plan.firsts[phase] : plan.firsts[phase] + len(octets)] = octets

    for phase in plan.once:
        load(phase)
    for _ in range(2):
        phases = range(len(plan.contents))
        for phase in phases:  # the next phase is loaded while this one is computed
            for each in (phase, phase + 1) if phase == 0 else (phase + 1,):
                if each in plan.always:
                    load(each)
            wanted = plan.contents[phase].octets
            found = memory[plan.firsts[phase] : plan.firsts[phase] + len(wanted)]
            np.testing.assert_array_equal(found, wanted)


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 9)), min_size=1), st.integers(1, 60))
def test_each_phase_finds_its_content(phases, depth):
    """Numbers may come back: strips of a layer have the same weights."""
    sizes = dict(phases)
    contents = [content(number, sizes[number]) for number, _ in phases]
    plan = plan_memory(contents, depth)
    if plan is None:
        assert 2 * max(sizes.values()) > depth
    else:
        follow(plan, depth)
        distinct = sum(sizes[number] for number in {number for number, _ in phases})
        assert (not plan.always) == (distinct <= depth)


def test_the_largest_contents_stay():
    """Rows of 100 and 10, four of each: a part for each of two short ones, the rest stays."""
    contents = [content(number, 100 if number % 2 else 10) for number in range(8)]
    plan = plan_memory(contents, 425)
    assert plan is not None
    assert [contents[phase].rows for phase in plan.once] == [100, 100, 100, 100]
    assert plan.octets == 4 * 10 * 8
    plan = plan_memory(contents, 419)  # not two parts of 10 beside all long ones: one takes turns
    assert plan is not None
    assert [contents[phase].rows for phase in plan.once] == [100, 100, 100]


@pytest.mark.parametrize("share", [0.5, 0.7, 0.9])
def test_weights_that_stay_are_read_once(share):
    """Six dense layers: every run reads the weights that do not stay, and nothing else again."""
    rng, dense = np.random.default_rng(1), Geometry.dense(48, 48)
    widths = by_channel([16] * 48, dense)
    net = network(*(random_layer(rng, dense, precision=widths, widths=(16,)) for _ in range(6)))
    inputs = random_inputs(rng, net, 3)
    engine = ENGINES[2]
    roomy = place_network(net, memories(engine), 1)
    rows = sum(phase.rows(Memory.WEIGHTS, roomy.config) for phase in roomy.phases)
    placement = place_network(net, memories(engine, weight_rows=int(share * rows)), 1)
    results, machine = run_image(placement.image, inputs, is_late=True)
    np.testing.assert_array_equal(results, infer(net, inputs))
    whole, part = (count_run(each.image, first=False).words_read for each in (roomy, placement))
    words = 6 * 48 * 48 * 16 // placement.config.bus_bits
    assert (1 - share) * words <= part - whole < 0.9 * words
    further = count_run(placement.image, first=False).words_read
    first = count_run(placement.image, first=True).words_read
    assert machine.words_read == first + 2 * further
    report = PlacementReport.of(placement, net)
    read = sum(layer.words_read for layer in report.layers if not layer.weights_stay)
    assert read == (part - whole) * placement.config.bus_bits // 16
    assert "loaded in every run: part of the weights" in report.caption
    assert (
        sum(layer.words_read for layer in report.layers) == part * placement.config.bus_bits // 16
    )


def test_columns_that_no_tile_uses_are_masked():
    """Layers of 5 and of 3 columns share rows of weights; a bus word holds 4 columns."""
    rng = np.random.default_rng(1)
    sizes = (5, 5, 5, 3)
    layers = [Geometry.dense(one, other) for one, other in pairwise(sizes)]
    net = network(*(random_layer(rng, each, widths=(16,)) for each in layers))
    config = memories(EngineConfig(rows=1, cols=5), weight_rows=10)
    placement = check(net, config, random_inputs(rng, net, 2))
    plan = placement.plans[Memory.WEIGHTS]
    assert {plan.contents[phase].octets.shape[1] for phase in plan.always} == {8, 16}
