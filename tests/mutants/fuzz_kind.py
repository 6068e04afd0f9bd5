"""Fuzzes one kind of file in this process: `python -m tests.mutants.fuzz_kind NAME FOLDER SECONDS`.

Nothing of ours is imported before it can be instrumented, hence a process of its own.
"""

import random
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["qcnpe", "axnn", "synth"]):
    from tests.mutants.kinds import KINDS
    from tests.mutants.mutate import mutate

_OPTIONS = (
    "-timeout=20",  # seconds for a file
    "-rss_limit_mb=3000",
    "-max_len=1048576",
    "-print_final_stats=1",
    "-verbosity=0",
)
_OWN_MUTANTS = 0.7
"""Share of mutants that respect the container's format; the others are the fuzzer's."""


def main(name: str, folder: Path, seconds: int) -> None:
    """Fuzz, then end the process; the status is not zero if there is a fault."""
    kind = next(kind for kind in KINDS if kind.name == name)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="axnn-fuzz-") as scratch:
        path = Path(scratch, kind.file)
        for number, content in enumerate(kind.seeds(path.parent)):
            (folder / f"good-{number}").write_bytes(content)

        def read(content: bytes) -> None:
            path.write_bytes(content)
            kind.refuses(path)

        def change(content: bytes, longest: int, seed: int) -> bytes:
            rng = random.Random(seed)
            if rng.random() < _OWN_MUTANTS:
                return mutate(content, rng)[:longest]
            return bytes(atheris.Mutate(content, longest))

        limits = (f"-max_total_time={seconds}", f"-artifact_prefix={folder}/")
        atheris.Setup([sys.argv[0], *_OPTIONS, *limits, str(folder)], read, custom_mutator=change)
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
