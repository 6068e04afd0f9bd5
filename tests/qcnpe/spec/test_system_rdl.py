"""The registers in SystemRDL, as the compiler of that language reads them."""

import pytest
from systemrdl.compiler import RDLCompiler
from systemrdl.node import FieldNode, RegNode
from systemrdl.rdltypes.builtin_enums import AccessType, OnWriteType

from qcnpe.spec.config import EngineConfig
from qcnpe.spec.memory.config import MemoryConfig
from qcnpe.spec.memory.registers import memory_feature_words, memory_registers
from qcnpe.spec.registers import Access, registers
from qcnpe.spec.system_rdl import system_rdl

ENGINE = EngineConfig(rows=3, cols=2, precisions=(16, 8))
CONFIG = MemoryConfig.default(ENGINE)
TABLES = {"stream": registers(ENGINE), "autonomous": memory_registers(CONFIG)}
TEXTS = {
    "stream": system_rdl(ENGINE, "engine"),
    "autonomous": system_rdl(ENGINE, "engine", TABLES["autonomous"], memory_feature_words(CONFIG)),
}
ACCESS = {
    Access.READ: (AccessType.r, None),
    Access.WRITE: (AccessType.w, None),
    Access.READ_WRITE: (AccessType.rw, None),
    Access.READ_CLEAR: (AccessType.rw, OnWriteType.woclr),
}


@pytest.fixture(scope="module", params=TEXTS)
def top(request):
    """The engine that is described: one that reads streams, and one with memories."""
    return request.param


@pytest.fixture(scope="module")
def parsed(top, tmp_path_factory):
    """Its registers by name."""
    path = tmp_path_factory.mktemp("rdl") / "registers.rdl"
    path.write_text(TEXTS[top])
    compiler = RDLCompiler()
    compiler.compile_file(str(path))
    found = compiler.elaborate().top
    assert found.inst_name == "engine"
    return {node.inst_name: node for node in found.children() if isinstance(node, RegNode)}


def test_every_register_and_field_is_where_the_table_says(parsed, top):
    table = TABLES[top]
    assert list(parsed) == [register.name for register in table]
    for register in table:
        node, low = parsed[register.name], 0
        assert (node.absolute_address, node.size) == (register.offset, 4)
        fields = [field for field in node.children() if isinstance(field, FieldNode)]
        for field, expected in zip(fields, register.fields, strict=True):
            assert field.inst_name == expected.name
            assert (field.low, field.high) == (low, low + expected.bits - 1)
            access = field.get_property("sw"), field.get_property("onwrite")
            assert access == ACCESS[register.access]
            assert field.get_property("desc") == expected.meaning
            low += expected.bits


def test_what_can_be_read_has_its_value_after_a_reset(parsed, top):
    resets = {
        f"{name}.{field.inst_name}": field.get_property("reset")
        for name, node in parsed.items()
        for field in node.children()
        if field.get_property("sw") is not AccessType.w
    }
    not_zero = {
        "identity.identity": 0x51434E50,
        "version.version": 2,
        "shape.rows": 3,
        "shape.cols": 2,
        "features.precisions": 0x8080,
        "features.accumulator_bits": 40,
        "features.table_segments": 5,
        "precision.precision": 16,
        "ceiling.ceiling": 16,
    }
    if top == "autonomous":
        not_zero |= {"memory_features.bus_bytes": 8, "activations_depth.last_row": 4095}
    assert {name: resets[name] for name in not_zero} == not_zero
    memory_side = {
        name for name in resets if name.partition(".")[0].endswith(("depth", "features"))
    }
    assert {name for name, value in resets.items() if value} <= not_zero.keys() | memory_side
    assert None not in resets.values()


def test_only_what_describes_the_engine_never_changes(parsed):
    constant = {
        name
        for name, node in parsed.items()
        for field in node.children()
        if field.get_property("hw") is AccessType.na
    }
    own = {"identity", "version", "shape", "features"}
    assert own == {name for name in constant if not name.endswith(("_depth", "memory_features"))}
