"""Builds simulations of an engine, once for each set of parameters and tools."""

import hashlib
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from tempfile import mkdtemp

from qcnpe.generate import TOP, top_verilog
from qcnpe.rtl.top import Top
from qcnpe.spec.config import EngineConfig
from sim.verilator import FastVerilator, SimulatorError, tool_environment

HARNESS = Path(__file__).with_name("harness.sv")
HARNESS_TOP = "harness"
DEFAULT_FOLDER = Path("build/sim")

_COVERAGE = ("--coverage-line", "--coverage-toggle")


def build(
    config: EngineConfig,
    folder: Path = DEFAULT_FOLDER,
    *,
    bare: bool = False,
    coverage: bool = False,
) -> Path:
    """Folder of a Verilated engine; builds it if it is not there.

    Parameters
    ----------
    config : the engine
    folder : where simulations are kept
    bare : the engine alone, for benches that drive its buses, not within the harness
    coverage : write which lines were run and which bits toggled when a simulation ends

    Raises
    ------
    SimulatorError
        If Verilator or the C++ compiler is missing or fails.
    """
    verilog = top_verilog(Top(config))
    options = f"bare {bare} coverage {coverage}"
    parts = (verilog, HARNESS.read_text(), options, version("verilator"), version("cocotb"))
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
    target = folder / f"{config.rows}x{config.cols}-{config.ncu}-{key}"
    if not target.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        scratch = Path(mkdtemp(prefix="building-", dir=folder)).absolute()
        try:
            (scratch / f"{TOP}.v").write_text(verilog)
            _verilate(config, scratch, bare=bare, coverage=coverage)
            _publish(scratch, target)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return target.absolute()


def _verilate(config: EngineConfig, folder: Path, *, bare: bool, coverage: bool) -> None:
    runner = FastVerilator()
    sources = [_keep_modules(config, folder), folder / f"{TOP}.v"]
    parameters = {"ROWS": config.rows, "COLS": config.cols, "LANE_BITS": config.result_lane_bits}
    arguments = ["-O3", "--x-assign", "fast", "-Wno-fatal"]
    try:
        with tool_environment():
            runner.build(
                sources=sources if bare else [*sources, HARNESS],
                hdl_toplevel=TOP if bare else HARNESS_TOP,
                build_dir=folder,
                parameters={} if bare else parameters,
                build_args=[*arguments, *(_COVERAGE if coverage else ())],
                log_file=folder / "build.log",
            )
    except (subprocess.CalledProcessError, RuntimeError) as error:
        log = (folder / "build.log").read_text().splitlines()
        found = [line for line in log if "rror" in line] or log or [str(error)]
        raise SimulatorError(f"Verilator could not build the engine: {found[0]}") from error


def _keep_modules(config: EngineConfig, folder: Path) -> Path:
    """Keep Verilator from copying the NCU and the AFU to each of their places: a third of the code.

    The multiplier inside the NCU is copied, so that nothing but the NCU itself is called.
    """
    kept = (f"qcnpe_ncu_*_a{config.accumulator_bits}", "qcnpe_afu_*")
    control = folder / "modules.vlt"
    rules = [f'no_inline -module "{name}"' for name in kept]
    control.write_text("\n".join(["`verilator_config", *rules, ""]))
    return control


def _publish(scratch: Path, target: Path) -> None:
    """Rename a finished build; if another process was first, its build serves as well."""
    try:
        scratch.rename(target)
    except OSError:
        if not target.is_dir():
            raise


def run_cocotb(
    module: str,
    simulation: Path,
    folder: Path,
    environment: Mapping[str, str],
    *,
    toplevel: str = TOP,
) -> Path:
    """Run the cocotb tests of a module on a built simulation, with `folder` as working folder.

    What the simulator says goes to `simulation.log` there. Blocks until the simulation ends.

    Returns
    -------
    The file of results in the manner of JUnit; there is none if the simulator failed.
    """
    results = folder.absolute() / "results.xml"
    # Within pytest, and only there, the runner ends the process if a test failed.
    with suppress(SystemExit):
        FastVerilator().test(
            test_module=module,
            hdl_toplevel=toplevel,
            hdl_toplevel_lang="verilog",
            build_dir=simulation,
            test_dir=folder,
            results_xml=str(results),
            extra_env=environment,
            log_file=folder / "simulation.log",
        )
    return results
