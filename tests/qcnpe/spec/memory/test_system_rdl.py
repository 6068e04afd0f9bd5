"""The registers in SystemRDL, as the compiler of that language reads them."""

import pytest
from systemrdl.compiler import RDLCompiler
from systemrdl.node import FieldNode, RegNode
from systemrdl.rdltypes.builtin_enums import AccessType, OnWriteType

from qcnpe.spec.config import EngineConfig
from qcnpe.spec.memory.config import MemoryConfig
from qcnpe.spec.memory.registers import memory_registers
from qcnpe.spec.memory.system_rdl import system_rdl
from qcnpe.spec.registers import Access

CONFIG = MemoryConfig.default(EngineConfig(rows=3, cols=2, precisions=(16, 8)))
ACCESS = {
    Access.READ: (AccessType.r, None),
    Access.WRITE: (AccessType.w, None),
    Access.READ_WRITE: (AccessType.rw, None),
    Access.READ_CLEAR: (AccessType.rw, OnWriteType.woclr),
}


@pytest.fixture(scope="module")
def parsed(tmp_path_factory):
    """Its registers by name."""
    path = tmp_path_factory.mktemp("rdl") / "registers.rdl"
    path.write_text(system_rdl(CONFIG, "engine"))
    compiler = RDLCompiler()
    compiler.compile_file(str(path))
    top = compiler.elaborate().top
    assert top.inst_name == "engine"
    return {node.inst_name: node for node in top.children() if isinstance(node, RegNode)}


def test_every_register_and_field_is_where_the_table_says(parsed):
    table = memory_registers(CONFIG)
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


def test_what_describes_the_engine_is_constant(parsed):
    resets = {
        f"{name}.{field.inst_name}": field.get_property("reset")
        for name, node in parsed.items()
        for field in node.children()
        if field.get_property("reset") is not None
    }
    assert resets["identity.identity"] == 0x51434E50
    assert (resets["shape.rows"], resets["shape.cols"]) == (3, 2)
    assert resets["features.precisions"] == 0x8080
    assert resets["memory_features.bus_bytes"] == 8
    assert resets["activations_depth.last_row"] == 4095
    assert "fault.cause" not in resets
