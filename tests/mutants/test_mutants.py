"""No changed file causes a traceback, takes long or takes much memory."""

import random
import resource
import time
import traceback
from pathlib import Path

import pytest

from tests.mutants.file_kind import FileKind
from tests.mutants.kinds import KINDS
from tests.mutants.mutate import mutate

MUTANTS = 150
SECONDS = 5.0
"""Largest processor time for one file: far more than any needs."""

BYTES = 2 << 30
"""Additional memory that reading a file may take."""


@pytest.fixture
def limited():
    """Limit the memory: a file that needs more causes a `MemoryError`, which is a fault."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + BYTES, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def faults(kind: FileKind, folder, count: int):
    """Give the fault of each mutant that is neither read nor refused correctly."""
    path = folder / kind.file
    seeds = kind.seeds(folder)
    for number in range(count):
        rng = random.Random(f"{kind.name} {number}")
        path.write_bytes(mutate(rng.choice(seeds), rng))
        start = time.process_time()
        try:
            kind.refuses(path)
        except Exception:
            yield f"mutant {number}: {traceback.format_exc(limit=-4)}"
        if (took := time.process_time() - start) > SECONDS:
            yield f"mutant {number}: {took:.1f} s"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_mutant_is_read_or_refused_in_one_line(kind, tmp_path, limited):
    assert not (found := list(faults(kind, tmp_path, MUTANTS))), "\n".join(found[:5])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_good_files_are_read(kind, tmp_path):
    """Otherwise every mutant would be refused for the wrong reason."""
    for content in kind.seeds(tmp_path):
        (tmp_path / kind.file).write_bytes(content)
        assert not kind.refuses(tmp_path / kind.file)


def test_the_same_seed_gives_the_same_mutant():
    content = b'{"a": [1, 2, {"b": "text"}], "c": 0.5}'
    mutants = [[mutate(content, random.Random(n)) for n in range(50)] for _ in range(2)]
    assert mutants[0] == mutants[1]
    assert len(set(mutants[0])) > 40


def test_names_of_kinds_are_unique():
    assert len({kind.name for kind in KINDS}) == len(KINDS)
