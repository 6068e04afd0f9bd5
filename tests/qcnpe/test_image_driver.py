"""The driver of autonomous engines, on the model."""

import numpy as np
import pytest

from qcnpe.image_driver import ImageDriver, ImageModel
from qcnpe.placement.build import place_network
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import FormatError, InputError
from qcnpe.spec.geometry import Geometry
from qcnpe.spec.inference import infer
from qcnpe.spec.memory.config import MemoryConfig
from tests.qcnpe.networks import network, random_inputs, random_layer

MEMORIES = MemoryConfig.default(EngineConfig(rows=4, cols=4))


def placed(seed, batch):
    """A network, its image, and four samples."""
    rng = np.random.default_rng(seed)
    first = Geometry(input_shape=(1, 5, 5), channels=3, kernel=(3, 3))
    net = network(random_layer(rng, first), random_layer(rng, Geometry.dense(27, 4)))
    return net, place_network(net, MEMORIES, batch).image, random_inputs(rng, net, 4)


def test_images_take_turns_on_one_engine():
    driver = ImageDriver(ImageModel(MEMORIES))
    work = [placed(seed, batch) for seed, batch in ((1, 1), (2, 2))]
    for net, image, inputs in (*work, *work, work[1]):
        np.testing.assert_array_equal(driver.run(image, inputs), infer(net, inputs))


def test_what_is_loaded_is_loaded_once():
    """The image's memory may be lost after the first run: all of it is in the engine."""
    net, image, inputs = placed(3, 1)
    driver = ImageDriver(ImageModel(MEMORIES))
    driver.run(image, inputs[:1])
    image.data[:] = 0xFF
    np.testing.assert_array_equal(driver.run(image, inputs[1:]), infer(net, inputs[1:]))


def test_wrong_inputs_are_refused():
    _, image, inputs = placed(1, 2)
    driver = ImageDriver(ImageModel(MEMORIES))
    for wrong in (inputs[:3], inputs[:0]):
        with pytest.raises(InputError, match=r"multiple of the image's batch of 2, not [03]"):
            driver.run(image, wrong)
    with pytest.raises(InputError, match="the image reads"):
        driver.run(image, inputs[:, 1:])
    other = ImageDriver(ImageModel(MemoryConfig.default(EngineConfig(rows=4, cols=2))))
    with pytest.raises(FormatError, match="made for other memories"):
        other.run(image, inputs)
