"""Networks side by side in one engine take turns, and each is loaded once."""

from dataclasses import replace

import numpy as np
import pytest

from qcnpe.image_driver import ImageDriver, ImageModel
from qcnpe.placement.build import place_network
from qcnpe.placement.join import join_images
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import CapacityError, FormatError
from qcnpe.spec.geometry import Geometry
from qcnpe.spec.inference import infer
from qcnpe.spec.memory.config import MemoryConfig
from qcnpe.spec.memory.cycles import count_run
from qcnpe.spec.memory.image_file import encode_image, encode_images
from tests.qcnpe.networks import network, random_inputs, random_layer

MEMORIES = MemoryConfig.default(EngineConfig(rows=4, cols=4))


def network_of(seed, widths):
    """Two convolutions, the first with a table and zeros around its map, and a dense layer."""
    rng = np.random.default_rng(seed)
    first = Geometry(input_shape=(1, 6, 6), channels=3, kernel=(3, 3), padding=(1, 1))
    second = Geometry(input_shape=(3, 6, 6), channels=2, kernel=(3, 3), padding=(1, 1))
    return network(
        random_layer(rng, first, function="tanh", widths=widths),
        random_layer(rng, second, widths=widths),
        random_layer(rng, Geometry.dense(72, 4), widths=widths),
    )


NETS = [network_of(seed, widths) for seed, widths in enumerate([(16,), (4,), (8, 2)])]


def images_of(config):
    return [place_network(net, config, 1).image for net in NETS]


def test_networks_take_turns():
    joined = join_images(images_of(MEMORIES))
    assert len({id(image.data) for image in joined}) == 1
    assert all(image.resume < image.again for image in joined)  # zeros that others overwrite
    driver = ImageDriver(ImageModel(MEMORIES))
    inputs = random_inputs(np.random.default_rng(9), NETS[0], 2)
    for number in (1, 0, 2, 2, 0, 1):
        expected = infer(NETS[number], inputs)
        np.testing.assert_array_equal(driver.run(joined[number], inputs), expected)
    joined[0].data[:] = 0xFF  # nothing is loaded any more
    for number in (2, 0, 1):
        expected = infer(NETS[number], inputs)
        np.testing.assert_array_equal(driver.run(joined[number], inputs), expected)


def test_runs_take_as_long_as_alone():
    images = images_of(MEMORIES)
    for alone, beside in zip(images, join_images(images), strict=True):
        assert count_run(beside, first=False) == count_run(alone, first=False)


def test_images_that_cannot_be_beside_others_are_refused():
    images = images_of(MEMORIES)
    with pytest.raises(FormatError, match="made for different memories"):
        join_images([images[0], *images_of(replace(MEMORIES, lane_rows=511))])
    with pytest.raises(CapacityError, match=r"have .* descriptors; set descriptor_rows"):
        join_images(images * 9)
    small = images_of(replace(MEMORIES, weight_rows=400))
    with pytest.raises(CapacityError, match=r"rows of weights, which has 400; make it larger"):
        join_images(small * 2)
    with pytest.raises(CapacityError, match="loaded again in every run cannot be beside others"):
        join_images(images_of(replace(MEMORIES, descriptor_rows=24)))
    with pytest.raises(FormatError, match="has no file of its own"):
        encode_image(join_images(images)[1])
    with pytest.raises(FormatError, match="must lie side by side; join them first"):
        encode_images(images)
    with pytest.raises(FormatError, match=r"a file holds 1\.\.32 images, not 0"):
        encode_images([])
