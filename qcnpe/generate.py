"""The engine as Verilog, with a manifest of its ports for test benches and integrators."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from qcnpe.rtl.component import Component
from qcnpe.rtl.leaf import ModuleLibrary, flat_ports
from qcnpe.rtl.memory.autonomous import Autonomous
from qcnpe.rtl.memory.sram import MacroLibrary
from qcnpe.rtl.top import Top
from qcnpe.spec.commands import PARAMETER_FIELDS, Field, command_fields
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.documents import read_document, write_document
from qcnpe.spec.errors import ConfigError
from qcnpe.spec.files import replace_text
from qcnpe.spec.memory.c_driver import c_driver
from qcnpe.spec.memory.config import MemoryConfig
from qcnpe.spec.memory.descriptors import DESCRIPTOR_FIELDS
from qcnpe.spec.memory.registers import memory_feature_words
from qcnpe.spec.memory.tables import TAP_FIELDS, WALK_FIELDS, WRITE_FIELDS, lane_fields
from qcnpe.spec.registers import Register, register_map, registers
from qcnpe.spec.stream_guide import stream_guide
from qcnpe.spec.system_rdl import system_rdl
from qcnpe.testbench import bench_files
from qcnpe.yosys import run_yosys

TOP = "qcnpe_engine"
"""Name of the top module, unless the engine is given a name of its own."""

AUTONOMOUS_TOP = "qcnpe_autonomous"
"""Name of the top module of an autonomous engine, unless it is given a name of its own."""

_MANIFEST = "manifest.json"
_CORE_NAME = "qcnpe"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")

_MEMORY = re.compile(
    r"^  (?P<module>\w*qcnpe_sram_(?P<words>\d+)x(?P<bits>\d+)_by_(?P<write_enable_bits>\d+)) ",
    re.MULTILINE,
)
"""An instance of a module of an SRAM, of which each write enable writes so many bits."""

LINT_WAIVERS = Path(__file__).with_name("lint.vlt")
"""Warnings of Verilator that are waived for the generated Verilog, each with its reason."""

PACKAGE_VERSION = version("axnn")

_CORE_FILES = """  rtl:
    files: [{top}.v]
    file_type: verilogSource
  waivers:
    files: [lint.vlt]
    file_type: vlt
"""
"""File sets of every core: the Verilog, and the warnings that are waived."""

_CORE_TARGETS = """targets:
  default: &default
    filesets: [rtl]
    toplevel: {top}
  lint:
    <<: *default
    filesets: [waivers, rtl]
    flow: lint
    flow_options:
      tool: verilator
      verilator_options: [-Wall]
"""
"""Targets of every core: the Verilog alone, and its lint."""

_CORE = (
    """CAPI=2:
name: axnn:ip:{core}:{version}
description: QC-NPE, a quality-configurable neuromorphic processing engine
filesets:
"""
    + _CORE_FILES
    + """  bench:
    files:
      - bench/testbench.sv
      - bench/sizes.svh: {{is_include_file: true}}
    file_type: systemVerilogSource
  vectors:
    files:
{vectors}
    file_type: user
"""
    + _CORE_TARGETS
    + """  sim:
    filesets: [waivers, rtl, bench, vectors]
    toplevel: testbench
    flow: sim
    flow_options:
      tool: verilator
      mode: binary
      # The bench is short: it takes longer to optimise than to run. In one file, it needs no
      # precompiled header, for which not every build of Verilator knows the compiler's option.
      verilator_options:
        - -CFLAGS "-std=c++20 -fcoroutines -O0"
        - --output-split 0
"""
)

_AUTONOMOUS_CORE = (
    """CAPI=2:
name: axnn:ip:{core}_autonomous:{version}
description: QC-NPE with memories, an AXI4 manager and an interrupt
filesets:
"""
    + _CORE_FILES
    + _CORE_TARGETS
)

_PASSES = (
    "delete *qcnpe_sram_*/t:$meminit_v2",  # an SRAM's first contents are undefined
    "proc -norom",
    "opt_expr",
    "opt_clean",
    "opt_dff",  # registers get their clock enables back
    "pmuxtree",  # a wide selection would be written as one very long vector
    "memory_collect",
    "opt_clean -purge",
)

_SIGN_EXTENSION = re.compile(r"\{ (?P<bit>\w+\[\d+\]), (?:(?P=bit), )+")
"""A sign bit that Yosys repeats one by one; simulators evaluate a replication much faster."""

_EXTENDED_WORD = re.compile(r"\{ \{(?P<times>\d+)\{(?P<word>\w+)\[(?P<top>\d+)\]\}\}, (?P=word) \}")
"""A whole word with its sign extended.

Written as a sum with a wide zero instead, it names the word only once. Verilator then inlines the
word where it is used, and evaluates only the products of a tile's precision.
"""


@dataclass(frozen=True)
class Generated:
    """What `generate` wrote.

    Attributes
    ----------
    verilog, manifest : the files
    bytes : size of the Verilog
    modules : number of modules in it
    changed : whether the Verilog differs from what was there before
    """

    verilog: Path
    manifest: Path
    bytes: int
    modules: int
    changed: bool


def generate(config: EngineConfig, folder: Path, name: str | None = None) -> Generated:
    """Write the Verilog, its manifest, documents, `qcnpe.core` and `lint.vlt` to a folder.

    The subfolder `bench` holds a self-checking test bench, which the core's target `sim` runs.
    A file is replaced only if its content changes; the same parameters and tools give the same
    bytes.

    Parameters
    ----------
    config : the engine
    folder : where the files go
    name : prefix of the names of all modules, of the Verilog file and of the core; engines of
        different names fit into one design

    Raises
    ------
    ConfigError
        If `name` is no Verilog identifier of at most 64 characters, or the folder holds an engine
        with another top module.
    """
    prefix = name_prefix(name)
    module = prefix + TOP
    _check_folder(folder, module)
    top = Top(config)
    text = top_verilog(top, prefix)
    bench = bench_files(config, module)
    files = {
        "registers.md": register_map(config),
        "registers.rdl": system_rdl(config, module),
        "streams.md": stream_guide(config),
        "qcnpe.core": fusesoc_core(bench, prefix),
        **{f"bench/{file}": content for file, content in bench.items()},
    }
    return _write_files(folder, text, describe(top, module), files)


def generate_autonomous(
    config: MemoryConfig, folder: Path, name: str | None = None, *, macros: bool = False
) -> Generated:
    """Write the Verilog of an autonomous engine, its manifest, its registers and `qcnpe.core`.

    Beside them lie `qcnpe.h` and `qcnpe.c`, a driver in C. A `name` also begins the names of these
    two files, and of all that they define.

    Parameters
    ----------
    config : the engine and its memories
    folder, name : see `generate`
    macros : leave the modules of the memories to the integrator, see `MacroLibrary`

    Raises
    ------
    ConfigError
        See `generate`.
    """
    prefix = name_prefix(name)
    module = prefix + AUTONOMOUS_TOP
    _check_folder(folder, module)
    top = Autonomous(config)
    text = autonomous_verilog(top, prefix, macros=macros)
    constants = memory_feature_words(config)
    core = _AUTONOMOUS_CORE.format(core=prefix + _CORE_NAME, top=module, version=PACKAGE_VERSION)
    files = {
        "registers.md": register_map(config.engine, top.table, constants),
        "registers.rdl": system_rdl(config.engine, module, top.table, constants),
        "qcnpe.core": core,
        **c_driver(top.table, prefix),
    }
    description = describe_autonomous(top, module) | {"memories": _describe_memories(text)}
    return _write_files(folder, text, description, files)


def _check_folder(folder: Path, module: str) -> None:
    """Refuse a folder whose engine has another top module: its files would stay among the new."""
    manifest = folder / _MANIFEST
    if not manifest.exists():
        return
    held = read_document(manifest, dict[str, Any]).get("top")
    if held != module:
        raise ConfigError(
            f"{folder}: holds the engine {held}; write {module} to another folder, or delete this"
            " one first"
        )


def _write_files(
    folder: Path, text: str, description: Mapping[str, Any], files: Mapping[str, str]
) -> Generated:
    """Write the Verilog, its manifest, `lint.vlt`, and `files` by their names in the folder."""
    verilog, manifest = folder / f"{description['top']}.v", folder / _MANIFEST
    changed = replace_text(verilog, text)
    write_document(manifest, description, indent=1)
    for name, content in {**files, LINT_WAIVERS.name: LINT_WAIVERS.read_text()}.items():
        replace_text(folder / name, content)
    modules = sum(line.startswith("module ") for line in text.splitlines())
    return Generated(verilog, manifest, len(text.encode()), modules, changed)


def name_prefix(name: str | None) -> str:
    """Prefix of the names of an engine's modules.

    Raises
    ------
    ConfigError
        If `name` is no Verilog identifier of at most 64 characters.
    """
    if name is None:
        return ""
    if not _NAME.fullmatch(name):
        raise ConfigError(
            "name must begin with a letter and hold at most 64 letters, digits and underscores,"
            f" not {name!r}"
        )
    return f"{name}_"


def top_verilog(top: Top, prefix: str = "") -> str:
    """An engine as Verilog text, each distinct component once.

    Parameters
    ----------
    top : the engine
    prefix : of the names of all modules
    """
    library = ModuleLibrary(prefix=prefix)
    return _header(top.config) + component_verilog(top, prefix + TOP, library)


def autonomous_verilog(top: Autonomous, prefix: str = "", *, macros: bool = False) -> str:
    """An autonomous engine as Verilog text, each distinct component once.

    Parameters
    ----------
    top : the engine and its memories
    prefix : of the names of all modules
    macros : leave the modules of the memories to the integrator, see `MacroLibrary`
    """
    library = (MacroLibrary if macros else ModuleLibrary)(prefix=prefix)
    return _header(top.config.engine) + component_verilog(top, prefix + AUTONOMOUS_TOP, library)


def component_verilog(component: Component, name: str, library: ModuleLibrary) -> str:
    """A component as Verilog text with a top module `name`; `library` places its leaves."""
    rtlil = library.convert(component, name, component)
    return _verilog(name, "".join((*library.modules.values(), rtlil)))


def describe(top: Top, module: str) -> dict[str, Any]:
    """The manifest: parameters, ports, layouts of all words, and the register file.

    Parameters
    ----------
    top : the engine
    module : name of its module
    """
    return {
        "top": module,
        "config": asdict(top.config),
        "ports": _describe_ports(top),
        "command": _places(command_fields(top.config)),
        "parameter": _places(PARAMETER_FIELDS),
        "result_lane": _places(_result_fields(top.config)),
        "registers": _describe_registers(registers(top.config)),
    }


def describe_autonomous(top: Autonomous, module: str) -> dict[str, Any]:
    """The manifest of an autonomous engine: layouts of descriptors and of table entries, too.

    Parameters
    ----------
    top : the engine and its memories
    module : name of its module
    """
    descriptors = {
        operation.name.lower(): _places(fields) for operation, fields in DESCRIPTOR_FIELDS.items()
    }
    return {
        "top": module,
        "config": asdict(top.config),
        "ports": _describe_ports(top),
        "command": _places(command_fields(top.config.engine)),
        "parameter": _places(PARAMETER_FIELDS),
        "descriptors": descriptors,
        "lane_entry": _places(lane_fields(top.config)),
        "walk_entry": _places(WALK_FIELDS),
        "tap_entry": _places(TAP_FIELDS),
        "write_entry": _places(WRITE_FIELDS),
        "registers": _describe_registers(top.table),
    }


def _describe_ports(top: Component) -> list[dict[str, Any]]:
    return [
        {"name": name, "direction": way, "bits": len(value)}
        for name, way, value in flat_ports(top.signature, top)
    ]


def _describe_memories(verilog: str) -> list[dict[str, Any]]:
    """The modules of SRAMs that the Verilog places; see `Sram` for their ports."""
    found = {match["module"]: match for match in _MEMORY.finditer(verilog)}
    sizes = ("words", "bits", "write_enable_bits")
    return [
        {"module": name, **{size: int(match[size]) for size in sizes}}
        for name, match in sorted(found.items())
    ]


def _describe_registers(table: tuple[Register, ...]) -> list[dict[str, Any]]:
    return [
        {
            "name": register.name,
            "offset": register.offset,
            "access": register.access.value,
            "fields": _places(register.fields),
        }
        for register in table
    ]


def fusesoc_core(bench: Iterable[str], prefix: str = "") -> str:
    """The FuseSoC core description, with targets that lint the Verilog and simulate it.

    Parameters
    ----------
    bench : names of the bench's files; those that end in `.hex` are copied to the simulation
    prefix : of the names of the core and of its modules
    """
    vectors = (
        f"      - bench/{name}: {{copyto: {name}}}" for name in bench if name.endswith(".hex")
    )
    return _CORE.format(
        core=prefix + _CORE_NAME,
        top=prefix + TOP,
        version=PACKAGE_VERSION,
        vectors="\n".join(vectors),
    )


def _result_fields(config: EngineConfig) -> tuple[Field, ...]:
    copies = (Field(f"copy_{width}", width, "narrow copy") for width in config.narrow_precisions)
    return (Field("result", OPERAND_BITS, "the result itself", True), *copies)


def _places(fields: tuple[Field, ...]) -> list[dict[str, Any]]:
    place, described = 0, []
    for field in fields:
        described.append({"low_bit": place, **asdict(field)})
        place += field.bits
    return described


def _header(config: EngineConfig) -> str:
    precisions = ",".join(map(str, config.precisions))
    tools = ", ".join(f"{name} {version(name)}" for name in ("amaranth", "pyosys"))
    return (
        f"// QC-NPE: {config.rows} x {config.cols} NCUs ({config.ncu}), {precisions} bits.\n"
        f"// Generated by `qcnpe generate` with {tools}; do not edit.\n\n"
    )


def _verilog(top: str, rtlil: str) -> str:
    """Verilog of a design in RTLIL."""
    with TemporaryDirectory(prefix="qcnpe-") as name:
        folder = Path(name)
        (folder / "design.il").write_text(rtlil)
        hierarchy = f"hierarchy -check -top {top}"
        commands = ("read_rtlil design.il", hierarchy, *_PASSES, "write_verilog -noattr design.v")
        run_yosys(commands, folder)
        # The first line names the Yosys build, which is not a property of the design.
        text = (folder / "design.v").read_text().partition("\n")[2]
    return _EXTENDED_WORD.sub(_add_zero, _SIGN_EXTENSION.sub(_replicate, text))


def _replicate(match: re.Match[str]) -> str:
    bit = match["bit"]
    return f"{{ {{{match[0].count(bit + ',')}{{{bit}}}}}, "


def _add_zero(match: re.Match[str]) -> str:
    bits = int(match["times"]) + int(match["top"]) + 1
    return f"{{ $signed({match['word']}) + {bits}'sd0 }}"
