"""The file of an image, used with nothing but what its header says, as a driver in C does."""

import struct

import numpy as np
import pytest

from qcnpe.placement.build import place_network
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.geometry import Geometry
from qcnpe.spec.inference import infer
from qcnpe.spec.memory.config import MemoryConfig
from qcnpe.spec.memory.descriptors import Base
from qcnpe.spec.memory.image_file import HEADER, MAP, encode_image
from qcnpe.spec.memory.machine import Machine
from tests.qcnpe.networks import network, random_inputs, random_layer


def read_words(octets, start, table):
    """Words of a table of the header, by name."""
    words = struct.unpack_from(f"<{len(table)}I", octets, start)
    return dict(zip([name for name, _ in table], words, strict=True))


def bit_address(record, banks, sample, line, column, channel):
    """Octet of the 16-bit word, and bit in it, of one value."""
    position = record["origin"] + sample * record["sample_step"]
    position += line * record["pitch"] + column // record["factor"]
    slot = channel * record["factor"] + column % record["factor"]
    row = position // banks * record["words"] + slot // record["pairs"]
    octet = record["offset"] + row * record["row_bytes"] + position % banks * 2
    packed = record["pairs"] > 1
    return octet, slot % record["pairs"] * record["width"] if packed else 16 - record["width"]


def narrowed(value, record):
    """A sample at the width of a record."""
    half = 1 << record["shift"] >> 1
    value = (value + half) >> record["shift"]
    top = (1 << record["width"]) - 1
    low, high = (0, top) if record["is_unsigned"] else (-(top // 2) - 1, top // 2)
    return min(max(value, low), high) & top


@pytest.mark.parametrize("ncu", ["fused", "gated"])
@pytest.mark.parametrize("unsigned", [False, True])
def test_a_driver_needs_only_the_header(ncu, unsigned):
    rng = np.random.default_rng(7)
    geometry = Geometry(input_shape=(3, 5, 4), channels=4, kernel=(3, 2), padding=(1, 1))
    net = network(
        random_layer(rng, geometry, function="relu", input_unsigned=unsigned),
        random_layer(rng, Geometry.dense(4 * 5 * 5, 9), input_unsigned=True),
    )
    config = MemoryConfig.default(EngineConfig(rows=3, cols=2, ncu=ncu, precisions=(16, 8, 4, 2)))
    octets = encode_image(place_network(net, config, 2).image)
    inputs = random_inputs(rng, net, 2)

    head = read_words(octets, 0, HEADER)
    assert octets[:4] == b"QCNI"
    start = 4 * len(HEADER)
    records = [
        read_words(octets, start + 4 * len(MAP) * number, MAP)
        for number in range(head["inputs"] + 1)
    ]
    start += 4 * len(MAP) * len(records)
    slots = struct.unpack_from(f"<{head['slots']}I", octets, start)
    memory = bytearray(head["input_bytes"])
    for record in records[:-1]:
        shape = (2, record["channels"], record["height"], record["width_pixels"])
        for (sample, channel, line, column), value in np.ndenumerate(inputs.reshape(shape)):
            at, bit = bit_address(record, head["banks"], sample, line, column, channel)
            (word,) = struct.unpack_from("<H", memory, at)
            struct.pack_into("<H", memory, at, word | narrowed(int(value), record) << bit)

    machine = Machine(config)
    data = np.frombuffer(octets, np.uint8)[head["data_offset"] :]
    output = np.zeros(head["output_bytes"], np.uint8)
    machine.external = {
        Base.IMAGE: data,
        Base.INPUT: np.frombuffer(memory, np.uint8),
        Base.OUTPUT: output,
    }
    assert len(data) == head["data_bytes"]
    machine.run(boot_rows=head["boot_rows"])
    stored = output.tobytes()
    results = [
        struct.unpack_from(
            "<h", stored, bit_address(records[-1], head["banks"], sample, 0, 0, slot)[0]
        )
        for sample in range(2)
        for slot in slots
    ]
    assert np.array(results).ravel().tolist() == infer(net, inputs).ravel().tolist()
