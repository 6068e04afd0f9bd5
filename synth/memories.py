"""Memories beside an engine: energies of on-chip SRAM at its real sizes, and of external memory.

The energies are in `synth/tech/memories.json`. Those of SRAM are from CACTI 7 (R. Balasubramonian
et al., "CACTI 7: new tools for interconnect exploration in innovative off-chip memories", ACM TACO
14(2), 2017); `synth.cacti` remakes them. Those of external memory are from M. Horowitz,
"Computing's energy problem (and what we can do about it)", ISSCC 2014.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.documents import NotNegative, Positive, read_document
from qcnpe.spec.memory.config import MemoryConfig
from synth.errors import SynthesisError
from synth.stimulus import PERIOD_PS

MEMORIES_FILE = Path(__file__).parent / "tech" / "memories.json"


@dataclass(frozen=True, kw_only=True)
class Sram:
    """A memory on the chip with one port for reads and writes.

    Attributes
    ----------
    size_bytes, bits : capacity, and width of an access
    read_pj, write_pj : energy of an access
    leakage_uw : of the whole memory
    access_ns : from address to data
    area_um2 : of the whole memory
    """

    size_bytes: Positive
    bits: Positive
    read_pj: Positive
    write_pj: Positive
    leakage_uw: NotNegative
    access_ns: Positive
    area_um2: Positive


@dataclass(frozen=True, kw_only=True)
class External:
    """A memory beside the chip.

    Attributes
    ----------
    name : kind of memory
    pj_per_64_bits : energy of an access, at the lower and at the upper end
    source : where that is from
    """

    name: str
    pj_per_64_bits: tuple[Positive, Positive]
    source: str


@dataclass(frozen=True, kw_only=True)
class Memories:
    """Content of `synth/tech/memories.json`."""

    sram: list[Sram]
    external: External
    provenance: dict[str, str]

    def sram_of(self, size_bytes: int, bits: int) -> Sram:
        """The memory of a size and width; `SynthesisError` if the table lacks it."""
        for memory in self.sram:
            if (memory.size_bytes, memory.bits) == (size_bytes, bits):
                return memory
        raise SynthesisError(
            f"{MEMORIES_FILE}: no memory of {size_bytes} bytes and {bits} bits; run synth.cacti"
        )


def read_memories(path: Path = MEMORIES_FILE) -> Memories:
    """The table of memories; `FormatError` if it is missing or damaged."""
    return read_document(path, Memories)


def on_chip(config: EngineConfig) -> Mapping[str, tuple[int, int, int]]:
    """Memories of an autonomous engine: size of one in bytes, width in bits, and their number."""
    memory = MemoryConfig.default(config)
    lane_bits = config.cols * OPERAND_BITS
    parameter_bits = memory.bus_bits  # a row of parameters is a word of the bus
    return {
        "activation": (memory.activation_rows * OPERAND_BITS // 8, OPERAND_BITS, memory.banks),
        "weight": (memory.weight_rows * lane_bits // 8, lane_bits, 1),
        "parameter": (memory.parameter_rows * parameter_bits // 8, parameter_bits, 1),
    }


def memory_prices_pj(memories: Memories, config: EngineConfig) -> dict[str, float]:
    """Energies of the events of memories in pJ: a word has 16 bits."""
    prices, leakage_uw = {}, 0.0
    for name, (size_bytes, bits, count) in on_chip(config).items():
        sram = memories.sram_of(size_bytes, bits)
        words = bits / OPERAND_BITS
        prices[f"{name}_memory_read"] = sram.read_pj / words
        prices[f"{name}_memory_write"] = sram.write_pj / words
        leakage_uw += count * sram.leakage_uw
    external_pj = memories.external.pj_per_64_bits[0] * OPERAND_BITS / 64
    return {
        **prices,
        "memory_leakage_cycle": leakage_uw * PERIOD_PS * 1e-6,
        "external_word": external_pj,
    }
