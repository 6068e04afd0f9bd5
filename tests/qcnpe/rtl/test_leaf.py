"""Each leaf is emitted once, under a name with all parameters that change its body."""

import re
from itertools import combinations
from typing import Any

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Fragment, Instance, Module
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out, Signature
from hypothesis import given, settings
from hypothesis import strategies as st

from qcnpe.rtl.afu import Afu
from qcnpe.rtl.engine import Engine
from qcnpe.rtl.fifo import Fifo
from qcnpe.rtl.interpolator import Interpolator, KnotRegisters
from qcnpe.rtl.leaf import Leaf, ModuleLibrary, flat_ports
from qcnpe.rtl.ncu import Ncu
from qcnpe.rtl.ncu_array import NcuArray, NcuRow
from qcnpe.rtl.requantize import Requantize
from qcnpe.rtl.result_queue import ResultQueue
from qcnpe.spec.config import EngineConfig

UNITS = {
    "afu": Afu,
    "interpolator": Interpolator,
    "knots": KnotRegisters,
    "ncu": Ncu,
    "row": NcuRow,
    "requantize": Requantize,
    "result_queue": ResultQueue,
}


def bodies_of(unit):
    """RTLIL of every leaf in a unit, the unit itself among them if it is one."""
    top, library = Module(), ModuleLibrary()
    top.submodules.unit = unit
    rtlil.convert(top, ports=[], platform=library)
    return library.modules


@pytest.fixture(scope="module")
def engine_bodies():
    """Leaves of a small engine."""
    return bodies_of(Engine(EngineConfig(rows=3, cols=2)))


def test_each_leaf_of_an_engine_is_emitted_once(engine_bodies):
    queues = [name for name in engine_bodies if name.startswith("qcnpe_fifo_")]
    assert sorted(name.split("_")[1] for name in engine_bodies if "_bank_" not in name) == [
        "afu",
        "fifo",  # commands, whose width differs from the one of activations, weights,
        "fifo",
        "fifo",
        "fifo",  # parameters and tiles
        "fifo",
        "interpolator",
        "knots",
        "ncu",
        "ncu",  # a row of them
        "requantize",
        "result",  # a row's queue
    ]
    # The words of queues and skews are in banks, of few shapes.
    assert 0 < sum("_bank_" in name for name in engine_bodies) <= 2 * len(queues)
    text = "".join(engine_bodies.values())
    for name in engine_bodies:
        assert len(re.findall(rf"^module \\{name}$", text, re.MULTILINE)) == 1, name


class CountingLibrary(ModuleLibrary):
    """Notes every conversion."""

    def __init__(self):
        super().__init__()
        self.converted = []

    def convert(self, body, name, interface):
        self.converted.append(name)
        return super().convert(body, name, interface)


def test_each_body_is_converted_once():
    top, library = Module(), CountingLibrary()
    top.submodules.array = NcuArray(EngineConfig(rows=2, cols=3))
    rtlil.convert(top, ports=[], platform=library)
    assert sorted(library.converted) == sorted(library.modules)
    assert sum("_bank_" not in name for name in library.converted) == 2


def test_all_placed_modules_have_a_body(engine_bodies):
    text = "".join(engine_bodies.values())
    placed = set(re.findall(r"^\s*cell \\(qcnpe_\w+) ", text, re.MULTILINE))
    assert placed
    assert placed <= set(engine_bodies)


def test_number_of_bodies_does_not_grow_with_the_array():
    small, large = (
        bodies_of(NcuArray(EngineConfig(rows=rows, cols=2, precisions=(16,)))) for rows in (2, 16)
    )
    assert small == large


# All parameters that may shape a body; values at which any two engines differ.
CHOICES: dict[str, list[dict[str, Any]]] = {
    "ncu": [
        {"ncu": "fused", "precisions": (16, 8, 4, 2)},
        {"ncu": "fused", "precisions": (16, 8)},
        {"ncu": "gated", "precisions": (16, 8)},
        {"ncu": "plain16", "precisions": (16,)},
        {"ncu": "fused", "precisions": (16,)},
        {"ncu": "gated", "precisions": (16, 2)},
        {"ncu": "dsp", "precisions": (16, 8, 4, 2)},
        {"ncu": "dsp", "precisions": (16,)},
    ],
    "cols": [{"cols": 1}, {"cols": 2}, {"cols": 12}],
    "rows": [{"rows": 1}, {"rows": 2}],
    "accumulator": [{"accumulator_bits": 24}, {"accumulator_bits": 40}],
    "table": [{"table_segments": 8}, {"table_segments": 32}],
    "fifo": [{"fifo_depth": 2}, {"fifo_depth": 8}],
}
CONFIGS = st.tuples(*(st.sampled_from(choices) for choices in CHOICES.values())).map(
    lambda parts: EngineConfig(**{name: value for part in parts for name, value in part.items()})
)


@settings(max_examples=15)
@given(st.sampled_from(sorted(UNITS)), CONFIGS, CONFIGS)
def test_equal_names_mean_equal_bodies(kind, one, other):
    assert_no_clash(bodies_of(UNITS[kind](one)), bodies_of(UNITS[kind](other)))


@pytest.mark.parametrize("kind", sorted(UNITS))
@pytest.mark.parametrize("choices", CHOICES.values(), ids=CHOICES)
def test_each_parameter_alone(kind, choices):
    bodies = [bodies_of(UNITS[kind](EngineConfig(**{"cols": 2, **part}))) for part in choices]
    for one, other in combinations(bodies, 2):
        assert_no_clash(one, other)


def test_queues_of_different_shape_differ_in_name():
    shapes = [(1, 12), (11, 2), (11, 22), (112, 2), (1, 2)]
    bodies = [bodies_of(Fifo(width=width, depth=depth)) for width, depth in shapes]
    names = {name for modules in bodies for name in modules if "_fifo_" in name}
    assert len(names) == len(shapes)


def assert_no_clash(one, other):
    """Modules of the same name have the same body."""
    for name in one.keys() & other.keys():
        assert one[name] == other[name], f"{name} names two different bodies"


def test_same_leaf_gives_the_same_text():
    config = EngineConfig(cols=2)
    assert bodies_of(NcuRow(config)) == bodies_of(NcuRow(config))


def test_simulation_gets_the_body_and_generation_a_place():
    simulated = Fragment.get(Fifo(width=4, depth=2), None)
    assert [name for _, name, _ in simulated.subfragments] == ["bank_0_0"]
    assert isinstance(Fragment.get(Fifo(width=4, depth=2), ModuleLibrary()), Instance)


@pytest.mark.parametrize(
    ("platform", "message"),
    [(None, "Leaf has no body"), (ModuleLibrary(), "Leaf does not name its module")],
    ids=["body", "name"],
)
def test_a_leaf_must_have_a_name_and_a_body(platform, message):
    with pytest.raises(NotImplementedError, match=message):
        Fragment.get(Leaf({}), platform)


def test_flat_ports_name_every_port_once():
    signature = Signature(
        {"i": In(stream.Signature(4)), "o": Out(stream.Signature(4)), "level": Out(2)}
    )
    ports = flat_ports(signature, signature.create())
    assert sorted((name, direction, len(value)) for name, direction, value in ports) == [
        ("i__payload", "in", 4),
        ("i__ready", "out", 1),
        ("i__valid", "in", 1),
        ("level", "out", 2),
        ("o__payload", "out", 4),
        ("o__ready", "in", 1),
        ("o__valid", "out", 1),
    ]
