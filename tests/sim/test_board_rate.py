"""The count of a line's octets, against frames in a session with the software's own link."""

import numpy as np
import pytest

from qcnpe.boards.autonomous import run_requests
from qcnpe.boards.catalog import BOARDS
from qcnpe.placement.build import place_network
from qcnpe.placement.join import join_images
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.frames import Operation
from qcnpe.spec.geometry import Geometry
from qcnpe.spec.memory.config import MemoryConfig
from sim.bench_networks import WORKLOADS
from sim.board_rate import line_octets
from tests.qcnpe.networks import network, random_layer

MEMORIES = MemoryConfig.default(EngineConfig(rows=4, cols=4, ncu="dsp"))

AUTONOMOUS = [board for board in BOARDS.values() if board.link.memory]


def image_of(inputs):
    """A dense layer of 16 bits: each input is one 16-bit word of its own row of eight banks."""
    layer = random_layer(np.random.default_rng(1), Geometry.dense(inputs, 3), widths=(16,))
    return place_network(network(layer), MEMORIES, 1).image


def test_a_picture_of_zeros_is_its_length():
    image = image_of(100)
    zeros = np.zeros(image.input_bytes, np.uint8)
    first, second, third = run_requests(image, [zeros], [(0, image.again)])
    assert [each.operation for each in (first, second)] == [Operation.WRITE] * 2
    assert (third.operation, third.count) == (Operation.FEED_ZEROS, image.input_bytes // 8)
    # Flags, header and CRC of 10 octets; two writes of 9 and the zeros of 5.
    sent, _ = line_octets(image, [zeros], first=False)
    assert sent == 10 + 2 * 9 + 5


def test_words_are_sent_whole():
    """Frames of 256 octets at most hold 31 words and the header of an operation."""
    image = image_of(100)
    words = np.full(image.input_bytes, 1, np.uint8)
    sent, received = line_octets(image, [words, words], first=False)
    feeds = [
        each.count
        for each in run_requests(image, [words], [(0, image.again)])
        if each.operation is Operation.FEED
    ]
    assert feeds == [image.input_bytes // 8]
    frames = -(-feeds[0] // 31)
    assert sent == 2 * (image.input_bytes + 5 * frames + 2 * 9) + 10 * (2 * frames + 1)
    assert received > 2 * image.output_bytes


@pytest.mark.parametrize("widths", [(16,), (8, 4, 2)])
@pytest.mark.parametrize("board", AUTONOMOUS, ids=lambda board: board.name)
def test_boards_hold_lenet_at_so_many_operating_points(board, widths):
    """As docs/boards.md says; `CapacityError` if not."""
    memory = board.link.memory
    nets = [WORKLOADS["lenet"].integers(width, memory.engine, seed=1) for width in widths]
    images = join_images([place_network(net, memory, 1).image for net in nets])
    assert len(images) == len(widths)
