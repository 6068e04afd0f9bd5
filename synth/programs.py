"""C++ programs of this package, each built once in the user's cache folder."""

import hashlib
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from qcnpe.spec.files import replace_file
from qcnpe.tools.cache import user_cache
from qcnpe.tools.find import COMPILER
from qcnpe.tools.process import run
from qcnpe.tools.trust import require_trusted

_BUILD_LIMIT_S = 600


def built(source: Path) -> Path:
    """The program of a source file; builds it if it does not exist.

    Raises
    ------
    ToolMissingError
        If there is no C++ compiler.
    ToolError
        If it cannot be built, or if another user could have written the existing one.
    """
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:16]
    program = user_cache(f"{source.stem}-{digest}").absolute()
    if not program.is_file():
        _build(source, program)
    require_trusted(program)
    return program


def _build(source: Path, program: Path) -> None:
    compiler = COMPILER.require()
    with TemporaryDirectory(prefix="qcnpe-") as name:
        folder = Path(name)
        (folder / source.name).symlink_to(source)
        options = ["-O2", "-std=c++17", "-o", source.stem]
        run(COMPILER.name, [compiler, *options, source.name], folder, limit_s=_BUILD_LIMIT_S)

        def place(temporary: Path) -> None:
            shutil.copyfile(folder / source.stem, temporary)
            temporary.chmod(0o755)  # whatever the umask: others must not write what is run

        replace_file(program, place)
