"""Builds simulations of an engine, once for each set of parameters and tools."""

from collections.abc import Sequence
from pathlib import Path

from qcnpe.generate import AUTONOMOUS_TOP, TOP, autonomous_verilog, top_verilog
from qcnpe.rtl.memory.autonomous import Autonomous
from qcnpe.rtl.top import Top
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.memory.config import MemoryConfig
from qcnpe.spec.memory.registers import memory_registers
from qcnpe.spec.registers import address_bits
from sim import verilator
from sim.verilator import DEFAULT_FOLDER, Design
from sim.waves import Waves

HARNESS = Path(__file__).with_name("harness.sv")
HARNESS_TOP = "harness"

MEMORY_HARNESS = Path(__file__).with_name("memory_harness.sv")
MEMORY_HARNESS_TOP = "memory_harness"

MEMORY_WORDS = 1 << 20
"""Bus words of the external memory in the harness."""

_COVERAGE = ("--coverage-line", "--coverage-toggle")


def build(
    config: EngineConfig,
    folder: Path = DEFAULT_FOLDER,
    *,
    bare: bool = False,
    coverage: bool = False,
    waves: Waves | None = None,
) -> Path:
    """Folder of a Verilated engine; builds it if it does not exist.

    Parameters
    ----------
    config : the engine
    folder : for built simulations
    bare : the engine without the harness, for benches that drive its buses
    coverage : write executed lines and toggled bits when a simulation ends
    waves : a file of waveforms that simulations will write

    Raises
    ------
    ToolMissingError
        If a program is missing: before anything is done.
    ToolError
        If Verilator or the C++ compiler fails; its log stays in the folder.
    """
    name = f"{config.rows}x{config.cols}-{config.ncu}"
    verilator.check_builder(folder, name)
    verilog = top_verilog(Top(config))
    options = (*(_COVERAGE if coverage else ()), *_wave_options(waves))
    ingredients = (verilog, HARNESS.read_text(), f"bare {bare} coverage {coverage}")

    def make() -> Design:
        return _design(config, verilog, bare=bare, options=options)

    return verilator.build(name, (*ingredients, *_wave_options(waves)), folder, make)


def build_autonomous(
    config: MemoryConfig,
    folder: Path = DEFAULT_FOLDER,
    *,
    latency: int | None = None,
    waves: Waves | None = None,
) -> Path:
    """Folder of a Verilated autonomous engine; builds it if it does not exist.

    Parameters
    ----------
    config : the engine and its memories
    folder : for built simulations
    latency : of an ideal external memory in a harness, in cycles; None: no harness
    waves : a file of waveforms that simulations will write

    Raises
    ------
    ToolMissingError
        If a program is missing: before anything is done.
    ToolError
        If Verilator or the C++ compiler fails; its log stays in the folder.
    """
    name = f"autonomous-{config.engine.rows}x{config.engine.cols}-{config.engine.ncu}"
    verilator.check_builder(folder, name)
    verilog = autonomous_verilog(Autonomous(config))
    sources = {"modules.vlt": _keep_modules(config.engine), f"{AUTONOMOUS_TOP}.v": verilog}
    options = _wave_options(waves)
    design = Design(top=AUTONOMOUS_TOP, sources=sources, options=options)
    if latency is not None:
        text = MEMORY_HARNESS.read_text()
        parameters = {
            "DATA_BITS": config.bus_bits,
            "ADDRESS_BITS": config.address_bits,
            "LITE_BITS": address_bits(memory_registers(config)),
            "WORDS": MEMORY_WORDS,
            "LATENCY": latency,
        }
        sources[MEMORY_HARNESS.name] = text
        design = Design(
            top=MEMORY_HARNESS_TOP, sources=sources, parameters=parameters, options=options
        )
    ingredients = (*sources.values(), f"latency {latency}", *options)
    return verilator.build(name, ingredients, folder, lambda: design)


def _wave_options(waves: Waves | None) -> tuple[str, ...]:
    return waves.build_options if waves else ()


def _design(config: EngineConfig, verilog: str, *, bare: bool, options: Sequence[str]) -> Design:
    sources = {"modules.vlt": _keep_modules(config), f"{TOP}.v": verilog}
    if bare:
        return Design(top=TOP, sources=sources, options=options)
    return Design(
        top=HARNESS_TOP,
        sources={**sources, HARNESS.name: HARNESS.read_text()},
        parameters={
            "ROWS": config.rows,
            "COLS": config.cols,
            "LANE_BITS": config.result_lane_bits,
        },
        options=options,
    )


def _keep_modules(config: EngineConfig) -> str:
    """Keep Verilator from inlining neural compute units (NCUs) and activation function units.

    That leaves a third of the code. The multiplier in an NCU is inlined, so that an NCU is one
    call.
    """
    kept = (f"qcnpe_ncu_*_a{config.accumulator_bits}", "qcnpe_afu_*")
    rules = [f'no_inline -module "{name}"' for name in kept]
    return "\n".join(["`verilator_config", *rules, ""])
