"""The driver in C, compiled, against a register file in Python and the images' own packing."""

import ctypes
import subprocess
from ctypes import byref
from itertools import pairwise

import numpy as np
import pytest

from qcnpe.image_driver import LoadedImages
from qcnpe.placement.build import place_network
from qcnpe.placement.join import join_images
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.geometry import Geometry
from qcnpe.spec.memory.c_driver import c_driver
from qcnpe.spec.memory.config import Memory, MemoryConfig
from qcnpe.spec.memory.descriptors import FAULT_MEANINGS
from qcnpe.spec.memory.image_file import HEADER, encode_image, encode_images
from qcnpe.spec.memory.registers import memory_feature_words, memory_registers
from qcnpe.spec.registers import feature_words
from tests.qcnpe.c_driver import READ, WRITE, Bus, CEngine, CImage, compile_c, write_driver
from tests.qcnpe.networks import by_channel, dense_layer, network, random_inputs, random_layer

CONFIG = MemoryConfig(
    engine=EngineConfig(rows=4, cols=2, ncu="gated", precisions=(16, 12, 5)),
    banks=4,
    bus_bits=128,
    address_bits=40,
    descriptor_rows=512,
)
OK, RUNNING, NO_ENGINE, OTHER_INTERFACE, BAD_IMAGE = range(5)
OTHER_ENGINE, BAD_ADDRESS, NOT_LOADED, FAULTED, NO_MORE = range(5, 10)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """The driver, loaded."""
    folder = tmp_path_factory.mktemp("driver")
    source = write_driver(CONFIG, folder)
    compile_c("-shared", "-fPIC", source, "-o", folder / "driver.so")
    found = ctypes.CDLL(str(folder / "driver.so"))
    found.qcnpe_init.argtypes = (ctypes.POINTER(CEngine), Bus)
    found.qcnpe_load.argtypes = (ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_uint64] * 3)
    found.qcnpe_counter.restype = ctypes.c_uint64
    found.qcnpe_fault_text.restype = ctypes.c_char_p
    return found


@pytest.fixture(scope="module")
def image():
    """A network of all widths with pooling, for two samples."""
    rng = np.random.default_rng(1)
    geometry = Geometry(
        input_shape=(2, 7, 7), channels=6, kernel=(3, 3), padding=(1, 1, 0, 0), pool=(2, 2)
    )
    first = random_layer(
        rng,
        geometry,
        name="convolution",
        function="tanh",
        widths=CONFIG.engine.precisions,
        precision=by_channel([16, 16, 12, 12, 5, 5], geometry),
    )
    net = network(first, dense_layer(6 * geometry.outputs, 7))
    return place_network(net, CONFIG, 2).image, random_inputs(rng, net, 2)


class Registers:
    """A register file by name; it keeps what is written, and in which order."""

    def __init__(self) -> None:
        self.table = {register.offset: register for register in memory_registers(CONFIG)}
        self.values = {register.name: 0 for register in self.table.values()}
        self.written: list[tuple[str, int]] = []
        for name, values in (feature_words(CONFIG.engine) | memory_feature_words(CONFIG)).items():
            self.describe(name, values)
        self.bus = Bus(READ(self._read), WRITE(self._write), None)

    def describe(self, name: str, values: dict[str, int]) -> None:
        """Set the fields of a register."""
        fields = next(each.fields for each in self.table.values() if each.name == name)
        self.values[name] = low = 0
        for field in fields:
            self.values[name] |= values[field.name] << low
            low += field.bits

    def _read(self, _context: object, offset: int) -> int:
        return self.values[self.table[offset].name]

    def _write(self, _context: object, offset: int, value: int) -> None:
        self.written.append((self.table[offset].name, value))


@pytest.fixture
def registers():
    return Registers()


@pytest.fixture
def engine(library, registers):
    """An engine, identified."""
    found = CEngine()
    assert library.qcnpe_init(byref(found), registers.bus) == OK
    return found


def opened(library, octets):
    """An image's file, read by the driver."""
    found = CImage()
    found.octets = octets  # the driver points to them
    return library.qcnpe_open(byref(found), octets, len(octets)), found


def test_it_needs_nothing_but_memset(tmp_path):
    compiled = tmp_path / "driver.o"
    source = write_driver(CONFIG, tmp_path)
    compile_c("-ffreestanding", "-nostdlib", "-c", source, "-o", compiled)
    undefined = subprocess.run(["nm", "-u", compiled], capture_output=True, text=True, check=True)
    assert undefined.stdout.split() == ["U", "memset"]


def test_an_engine_is_identified(engine, registers):
    assert (engine.rows, engine.cols, engine.banks) == (4, 2, 4)
    assert (engine.bus_bytes, engine.address_bits) == (16, 40)
    assert registers.written == [("interrupt_mask", 0), ("interrupt", 3)]


@pytest.mark.parametrize(
    ("register", "value", "error"),
    [
        ("identity", 0, NO_ENGINE),
        ("version", 1, OTHER_INTERFACE),
        ("memory_features", 0, NO_ENGINE),
    ],
)
def test_what_is_no_engine_is_refused_untouched(library, registers, register, value, error):
    registers.values[register] = value
    assert library.qcnpe_init(byref(CEngine()), registers.bus) == error
    assert registers.written == []


def test_columns_that_share_a_position_are_packed_as_the_image_says(library):
    rng = np.random.default_rng(3)
    engine = EngineConfig(rows=3, cols=4, precisions=(16, 8, 4))
    geometry = Geometry(input_shape=(1, 6, 12), channels=2, kernel=(3, 3))
    widths = by_channel([4, 4], geometry)
    first = random_layer(rng, geometry, widths=engine.precisions, precision=widths)
    net = network(first, dense_layer(2 * geometry.outputs, 3))
    placed = place_network(net, MemoryConfig.default(engine), 2).image
    assert placed.input_factor == 2
    _, found = opened(library, encode_image(placed))
    samples = np.ascontiguousarray(random_inputs(rng, net, 2))
    memory = np.zeros(placed.input_bytes, np.uint8)
    assert library.qcnpe_pack(byref(found), memory.ctypes, samples.ctypes) == OK
    np.testing.assert_array_equal(memory, placed.pack_inputs(samples))


def test_samples_and_results_are_packed_as_the_image_says(library, image):
    placed, inputs = image
    octets = encode_image(placed)
    error, found = opened(library, octets)
    assert error == OK
    assert ctypes.string_at(found.data, found.data_bytes) == placed.data.tobytes()
    assert (found.batch, found.features, found.outputs) == (2, 98, 7)
    memory = np.full(placed.input_bytes, 0xEE, np.uint8)
    samples = np.ascontiguousarray(inputs)
    assert library.qcnpe_pack(byref(found), memory.ctypes, samples.ctypes) == OK
    np.testing.assert_array_equal(memory, placed.pack_inputs(inputs))
    output = np.random.default_rng(2).integers(0, 256, placed.output_bytes, np.uint8)
    results = np.zeros((2, 7), np.int16)
    assert library.qcnpe_unpack(byref(found), output.ctypes, results.ctypes) == OK
    np.testing.assert_array_equal(results, placed.unpack_outputs(output))


def test_damaged_images_are_refused_or_stay_in_bounds(library, image):
    """Any word of the header may be wrong: nothing beyond the memories is written."""
    placed, inputs = image
    octets, samples = encode_image(placed), np.ascontiguousarray(inputs)
    assert opened(library, octets[:-1])[0] == BAD_IMAGE
    assert opened(library, octets[:63])[0] == BAD_IMAGE
    start = int.from_bytes(octets[8:12], "little")
    refused = 0
    for place in range(0, start, 4):
        for value in (0, 1, 5, 0xFFFFFFFF):
            damaged = octets[:place] + value.to_bytes(4, "little") + octets[place + 4 :]
            error, found = opened(library, damaged)
            same = (found.batch, found.features, found.input_bytes)
            if error == OK and same == (2, 98, placed.input_bytes):
                memory = np.full(placed.input_bytes + 4096, 0xEE, np.uint8)
                library.qcnpe_pack(byref(found), memory.ctypes, samples.ctypes)
                assert (memory[placed.input_bytes :] == 0xEE).all()
            refused += error == BAD_IMAGE
    assert refused > 30


def test_an_image_for_another_engine_is_refused(library, registers, image):
    _, found = opened(library, encode_image(image[0]))
    for register, value in (
        ("shape", 4 | 4 << 16),
        ("shape", 2 | 2 << 16),
        ("memory_features", 3 | 16 << 4 | 40 << 12),
        ("memory_features", 2 | 8 << 4 | 40 << 12),
    ):
        before, registers.values[register] = registers.values[register], value
        engine = CEngine()
        assert library.qcnpe_init(byref(engine), registers.bus) == OK
        assert library.qcnpe_load(byref(engine), byref(found), 0, 0, 0) == OTHER_ENGINE
        registers.values[register] = before
    assert library.qcnpe_start(byref(engine)) == NOT_LOADED


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("ncu", 0, OK),
        ("precisions", 1 << 15 | 1 << 4, OTHER_ENGINE),
        ("precisions", 1 << 15 | 1 << 11 | 1 << 7 | 1 << 4, OTHER_ENGINE),
        ("accumulator_bits", 38, OTHER_ENGINE),
        ("table_segments", 4, OTHER_ENGINE),
    ],
)
def test_an_image_for_other_precisions_is_refused(library, registers, image, field, value, error):
    """Its words would mean other widths, and results would be wrong; the kind changes no result."""
    _, found = opened(library, encode_image(image[0]))
    registers.describe("features", feature_words(CONFIG.engine)["features"] | {field: value})
    engine = CEngine()
    assert library.qcnpe_init(byref(engine), registers.bus) == OK
    assert library.qcnpe_load(byref(engine), byref(found), 0, 0, 0) == error


@pytest.mark.parametrize("memory", list(Memory))
def test_an_image_for_deeper_memories_is_refused(library, engine, registers, image, memory):
    """Deeper ones than the image's will do; but 1024 rows of activations have 10-bit addresses."""
    _, found = opened(library, encode_image(image[0]))
    name, last = f"{memory.name.lower()}_depth", CONFIG.depth(memory) - 1
    deeper = OTHER_ENGINE if memory is Memory.ACTIVATIONS else OK
    for value, error in ((last, OK), (last - 1, OTHER_ENGINE), (last + 1, deeper)):
        registers.values[name] = value
        assert library.qcnpe_load(byref(engine), byref(found), 0, 0, 0) == error


def test_addresses_are_checked_and_written_whole(library, engine, registers, image):
    _, found = opened(library, encode_image(image[0]))
    end = 1 << 40
    for addresses in ((8, 0, 0), (0, end, 0), (0, 0, end - 16), (1 << 63, 0, 0)):
        assert library.qcnpe_load(byref(engine), byref(found), *addresses) == BAD_ADDRESS
    registers.written.clear()
    addresses = (0x12_3456_7890, 0x20, 0xAB_0000_0000)
    assert library.qcnpe_load(byref(engine), byref(found), *addresses) == OK
    assert registers.written == [
        ("image_low", 0x34567890),
        ("image_high", 0x12),
        ("input_low", 0x20),
        ("input_high", 0),
        ("output_low", 0),
        ("output_high", 0xAB),
    ]


def test_the_first_run_and_the_one_after_a_fault_boot(library, engine, registers, image):
    placed = image[0]
    _, found = opened(library, encode_image(placed))
    assert library.qcnpe_load(byref(engine), byref(found), 0, 0, 0) == OK
    boot = [("interrupt", 3), ("boot", placed.boot_rows), ("start", 0)]
    again = [("interrupt", 3), ("boot", placed.again_boot_rows), ("start", placed.again)]
    for status, fault, error, expected in (
        (0, 0, OK, boot),
        (0, 0, OK, again),
        (0, 12, FAULTED, again),
        (0, 14, FAULTED, boot),
        (5 << 1, 0, OK, boot),
    ):
        registers.written.clear()
        registers.values |= {"run_status": 0}
        assert library.qcnpe_start(byref(engine)) == OK
        assert registers.written == expected
        registers.values |= {"run_status": status | 1, "fault": 0}
        assert library.qcnpe_wait(byref(engine), 3) == RUNNING
        assert library.qcnpe_start(byref(engine)) == RUNNING
        registers.values |= {"run_status": status, "fault": fault}
        assert library.qcnpe_wait(byref(engine), 3) == error
        assert (engine.fault, engine.row) == (fault, status >> 1)


def test_images_of_one_file_take_turns(library, engine, registers):
    """Registers as the driver in Python writes them, also after a fault."""
    rng = np.random.default_rng(2)
    net = network(dense_layer(12, 6), dense_layer(6, 3))
    other = network(dense_layer(20, 5))
    alone = [place_network(each, CONFIG, 1).image for each in (net, other, net)]
    images = join_images(alone)
    octets = encode_images(images)
    _, first = opened(library, octets)
    found = [first, CImage(), CImage()]
    for before, following in pairwise(found):
        assert library.qcnpe_next(byref(before), byref(following)) == OK
    assert library.qcnpe_next(byref(found[-1]), byref(CImage())) == NO_MORE
    assert [each.features for each in found] == [12, 20, 12]
    assert len({each.data for each in found}) == 1
    assert library.qcnpe_select(byref(engine), byref(first)) == NOT_LOADED
    assert library.qcnpe_load(byref(engine), byref(first), 0, 0, 0) == OK
    expected = LoadedImages()
    for fault in [0] * 20 + [12] + [0] * 10:
        number = int(rng.integers(3))
        registers.values |= {"run_status": 1, "fault": 0}
        assert library.qcnpe_select(byref(engine), byref(found[number])) == RUNNING
        registers.values |= {"run_status": 0}
        assert library.qcnpe_select(byref(engine), byref(found[number])) == OK
        registers.written.clear()
        assert library.qcnpe_start(byref(engine)) == OK
        boot, start = expected.begin(images[number])
        assert registers.written[1:] == [("boot", boot), ("start", start)]
        registers.values |= {"fault": fault}
        assert library.qcnpe_wait(byref(engine), 1) == (FAULTED if fault else OK)
        if fault:
            expected.clear()


def test_an_image_of_another_file_is_not_selected(library, engine, registers, image):
    _, one = opened(library, encode_image(image[0]))
    _, two = opened(library, bytes(bytearray(encode_image(image[0]))))
    assert library.qcnpe_load(byref(engine), byref(one), 0, 0, 0) == OK
    assert library.qcnpe_select(byref(engine), byref(two)) == BAD_IMAGE
    registers.values |= {"output_high": 1 << 9}
    assert library.qcnpe_select(byref(engine), byref(one)) == BAD_ADDRESS


def test_a_damaged_chain_of_images_is_refused(library):
    images = join_images([place_network(network(dense_layer(4, 2)), CONFIG, 1).image] * 2)
    octets = encode_images(images)
    place = 4 * [name for name, _ in HEADER].index("next")
    for value in (4, 63, len(octets) - 8, len(octets), 1 << 31, (1 << 32) - 1):
        damaged = octets[:place] + value.to_bytes(4, "little") + octets[place + 4 :]
        _, first = opened(library, damaged)
        assert library.qcnpe_next(byref(first), byref(CImage())) == BAD_IMAGE


def test_interrupt_stop_and_counters(library, engine, registers):
    registers.written.clear()
    library.qcnpe_enable_interrupt(byref(engine), 1)
    registers.values |= {"interrupt": 2, "run_cycles_low": 7, "run_cycles_high": 9}
    assert library.qcnpe_acknowledge(byref(engine)) == 2
    library.qcnpe_stop(byref(engine))
    assert registers.written == [("interrupt_mask", 3), ("interrupt", 2), ("stop", 1)]
    offset = next(each for each, entry in registers.table.items() if entry.name == "run_cycles_low")
    assert library.qcnpe_counter(byref(engine), offset) == 7 | 9 << 32


def test_faults_have_their_texts(library):
    for fault, text in FAULT_MEANINGS.items():
        assert library.qcnpe_fault_text(fault.value).decode() == text
    assert library.qcnpe_fault_text(31) == b"unknown fault"


def test_a_program_in_cpp_calls_the_driver(tmp_path):
    source = write_driver(CONFIG, tmp_path)
    program = tmp_path / "program.cpp"
    program.write_text(
        '#include "qcnpe.h"\n#include "qcnpe.h"\n'
        "int main() { qcnpe_engine one = {}; return qcnpe_start(&one) != QCNPE_NOT_LOADED; }\n"
    )
    compile_c("-c", source, "-o", tmp_path / "driver.o")
    command = ["g++", "-Wall", "-Wextra", "-Werror", program, tmp_path / "driver.o"]
    subprocess.run([*command, "-o", tmp_path / "program"], check=True, timeout=60)
    subprocess.run([tmp_path / "program"], check=True, timeout=60)


def test_a_program_holds_the_drivers_of_two_engines(tmp_path):
    """Engines of other sizes have other registers: each driver has names of its own."""
    other = MemoryConfig(engine=EngineConfig(rows=2, cols=2), banks=4)
    for prefix, config in (("left_", CONFIG), ("right_", other)):
        for name, text in c_driver(memory_registers(config), prefix).items():
            assert "@" not in text
            (tmp_path / name).write_text(text)
    (tmp_path / "main.c").write_text(
        '#include "left_qcnpe.h"\n#include "right_qcnpe.h"\n'
        "int main(void)\n{\n    left_qcnpe_engine one;\n    right_qcnpe_engine two;\n"
        "    one.image = 0;\n    two.image = 0;\n"
        "    return left_qcnpe_start(&one) != LEFT_QCNPE_NOT_LOADED ||\n"
        "           right_qcnpe_start(&two) != RIGHT_QCNPE_NOT_LOADED;\n}\n"
    )
    program = tmp_path / "program"
    compile_c("-I", tmp_path, *sorted(tmp_path.glob("*.c")), "-o", program)
    subprocess.run([program], check=True, timeout=60)
    symbols = subprocess.run(
        ["nm", "--defined-only", "--extern-only", program],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert not [line for line in symbols.splitlines() if " T qcnpe" in line]
    assert "left_qcnpe_init" in symbols
    assert "right_qcnpe_init" in symbols
