"""Units of the memory side, and the registers of one of them counted by hand."""

from qcnpe.spec.config import EngineConfig
from qcnpe.spec.memory.config import MemoryConfig
from synth.flow import own_cells
from synth.memory_side import map_parts, parts

CONFIG = MemoryConfig(
    engine=EngineConfig(rows=1, cols=1, ncu="plain16", precisions=(16,)),
    banks=2,
    activation_rows=256,
)


def test_every_unit_is_there_once():
    names = [module.rpartition(".")[2].partition("$")[0] for module, _ in parts(CONFIG)]
    assert {"processor", "fetch", "write_back", "tap_walker", "axi_reader"} <= set(names)
    assert len(names) == len(set(names))
    assert [name for name in names if name.startswith("qcnpe_fifo")] == ["qcnpe_fifo_84x7"]


def test_registers_of_a_unit(monkeypatch, tmp_path):
    """Fills: a row of 256, and a number of rows of 16 bits."""
    filler = [part for part in parts(CONFIG) if "filler" in part[0]]
    monkeypatch.setattr("synth.memory_side.parts", lambda _: iter(filler))
    (found,) = map_parts(CONFIG, own_cells(), tmp_path)
    assert (found.name, found.flipflops) == ("filler", 8 + 16)
    assert found.area_um2 > 0
