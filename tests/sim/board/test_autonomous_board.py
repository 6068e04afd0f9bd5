"""A simulated board with an autonomous engine, driven through the pins of its UART."""

from dataclasses import replace

import numpy as np
import pytest

from qcnpe.boards.autonomous import BoardEngine
from qcnpe.boards.serial_port import SerialPort
from qcnpe.boards.transport import BoardTransport
from qcnpe.image_driver import ImageDriver
from qcnpe.placement.build import place_network
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
    """A convolution and a dense layer, and samples whose results are known."""
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


def test_image_is_loaded_once_and_pictures_follow():
    images = {width: image_of(width, seed=width) for width in (16, 4)}
    with SimulatedBoard(LINK) as board:
        with BoardEngine(SerialPort(board.path), timeout=120) as engine:
            assert engine.config == MEMORY
            driver = ImageDriver(engine)
            for image, inputs, expected in images.values():
                np.testing.assert_array_equal(driver.run(image, inputs), expected)
            before = engine.sent
            image, inputs, expected = images[4]
            np.testing.assert_array_equal(driver.run(image, inputs), expected)
            again = engine.sent - before
            counters = engine.counters()
            assert engine.losses == []
        with pytest.raises(TransportError, match="autonomous engine; use it as a `BoardEngine`"):
            BoardTransport(SerialPort(board.path))
    assert counters["words_written"] * 8 == sum(
        count * each[0].output_bytes for count, each in zip((3, 6), images.values(), strict=True)
    )
    assert again < 3 * (image.input_bytes + 60)
