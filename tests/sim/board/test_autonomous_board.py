"""A simulated board with an autonomous engine, driven through the pins of its UART."""

from dataclasses import replace

import numpy as np
import pytest

from qcnpe.boards.autonomous import BoardEngine
from qcnpe.boards.serial_port import SerialPort
from qcnpe.boards.transport import BoardTransport
from qcnpe.image_driver import ImageDriver
from qcnpe.placement.build import place_network
from qcnpe.placement.join import join_images
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import TransportError
from qcnpe.spec.frames import MIN_STORE
from qcnpe.spec.geometry import Geometry
from qcnpe.spec.inference import infer
from qcnpe.spec.link import LinkConfig
from qcnpe.spec.memory.config import MemoryConfig
from sim.board import SimulatedBoard
from tests.qcnpe.networks import network, random_inputs, random_layer

ENGINE = EngineConfig(rows=2, cols=2, ncu="dsp")
MEMORY = replace(MemoryConfig.default(ENGINE), activation_rows=256, weight_rows=512)
LINK = LinkConfig(
    engine=ENGINE,
    clock_hz=12e6,
    baud=3_000_000,
    buffer=512,
    store=MIN_STORE,
    memory=MEMORY,
)

pytestmark = pytest.mark.xdist_group("board")


def image_of(width, seed):
    """The image of a convolution and a dense layer, and samples whose results are known."""
    rng = np.random.default_rng(seed)
    first = Geometry(input_shape=(1, 6, 6), channels=3, kernel=(3, 3), padding=(1, 1))
    second = Geometry.dense(3 * 36, 5)
    layers = [
        random_layer(rng, geometry, name=name, widths=(width,))
        for geometry, name in ((first, "first"), (second, "second"))
    ]
    net = network(*layers)
    inputs = random_inputs(rng, net, 3)
    inputs[1] = 0  # is sent as the number of its words
    return place_network(net, MEMORY, 1).image, inputs, infer(net, inputs)


def test_images_are_loaded_once_and_pictures_follow():
    """Two operating points side by side, then one of them alone."""
    images = {width: image_of(width, seed=width) for width in (16, 4)}
    joined = join_images([image for image, _, _ in images.values()])
    with SimulatedBoard(LINK) as board:
        with BoardEngine(SerialPort(board.path), timeout=120) as engine:
            assert engine.config == MEMORY
            driver = ImageDriver(engine)
            for (_, inputs, expected), image in zip(images.values(), joined, strict=True):
                np.testing.assert_array_equal(driver.run(image, inputs), expected)
            before = engine.sent
            for (_, inputs, expected), image in zip(images.values(), joined, strict=True):
                np.testing.assert_array_equal(driver.run(image, inputs), expected)
            assert engine.sent - before < 3 * sum(image.input_bytes + 90 for image in joined)
            image, inputs, expected = images[4]
            np.testing.assert_array_equal(driver.run(image, inputs), expected)
            before = engine.sent
            np.testing.assert_array_equal(driver.run(image, inputs), expected)
            again = engine.sent - before
            counters = engine.counters()
            assert engine.losses == []
        with pytest.raises(TransportError, match="autonomous engine; use it as a `BoardEngine`"):
            BoardTransport(SerialPort(board.path))
    assert counters["words_written"] * 8 == sum(
        count * each[0].output_bytes for count, each in zip((6, 12), images.values(), strict=True)
    )
    assert again < 3 * (image.input_bytes + 60)


def test_a_lost_session_loads_the_image_again():
    image, inputs, expected = image_of(4, seed=4)
    with (
        SimulatedBoard(LINK, flip=2999) as board,
        BoardEngine(SerialPort(board.path), timeout=4, attempts=8) as engine,
    ):
        driver = ImageDriver(engine)
        for _ in range(3):
            np.testing.assert_array_equal(driver.run(image, inputs), expected)
        assert engine.restarts > 0
