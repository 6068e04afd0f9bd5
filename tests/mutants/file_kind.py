"""A kind of file: a function that makes good ones, and one that reads them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from qcnpe.spec.errors import QcnpeError, one_line


@dataclass(frozen=True)
class FileKind:
    """A kind of file that the project reads.

    Attributes
    ----------
    name : of the kind
    file : its name, where that matters to the reader
    makers : each writes a good file, a small one, to the path that it is given
    read : reads a file and does with it what the project does; typed errors are its right to refuse
    """

    name: str
    file: str
    makers: tuple[Callable[[Path], object], ...]
    read: Callable[[Path], object]

    def seeds(self, folder: Path) -> list[bytes]:
        """Contents of the good files."""
        path = folder / self.file
        contents = []
        for make in self.makers:
            make(path)
            contents.append(path.read_bytes())
            path.unlink()
        return contents

    def refuses(self, path: Path) -> bool:
        """Read a file; whether it was refused, in one line. What else is raised is a fault."""
        try:
            self.read(path)
        except QcnpeError as error:
            line = one_line(error)
            assert line, "a refusal without a word"
            assert len(line) < 2000, f"a refusal of {len(line)} letters"
            return True
        return False
