"""Compares random networks on the model of autonomous engines with the driver's streams.

`make memory-networks` remakes `results/memory_networks.json`: 100,000 networks of
`random_networks`, by default. What is finished is kept in a file of its own: the same command goes
on where it was interrupted, unless the code that is compared has changed since. A network that
differs is named, and `--first NUMBER --networks 1` runs it alone.
"""

import argparse
import hashlib
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import qcnpe
from qcnpe.command_line import command
from qcnpe.spec.documents import read_document, write_document
from qcnpe.spec.errors import CapacityError, FormatError
from qcnpe.spec.memory.config import Memory
from qcnpe.spec.results import package_versions, results_document
from qcnpe.tasks import Workplace, run_tasks
from qcnpe.terminal import Console, Progress
from tests.qcnpe.placement.random_networks import RandomNetwork

PART = 250
"""Networks of a task."""

COMPARED = (
    "averages.py",
    "blocking.py",
    "compiler.py",
    "driver.py",
    "events.py",
    "folding.py",
    "spec/**/*.py",
    "placement/**/*.py",
)
"""Files of `qcnpe` on which a comparison depends: the compiler, the driver, the model."""

KINDS = ("compared", "refused", "differences", "with_strips", "with_weights_in_turns")
"""What is counted: the first three add up to all networks."""


@dataclass(kw_only=True)
class Work:
    """What is finished.

    Attributes
    ----------
    seed, networks, first : of the command
    sources : digest of the code that is compared
    parts : networks of each finished part, by `KINDS`
    """

    seed: int
    networks: int
    first: int
    sources: str
    parts: dict[str, dict[str, int]] = field(default_factory=dict)

    def is_same(self, other: "Work") -> bool:
        """Whether the parts of the one are parts of the other."""
        return {**asdict(self), "parts": {}} == {**asdict(other), "parts": {}}


def compare_part(
    seed: int, numbers: tuple[int, int], tell: Callable[[str], None]
) -> dict[str, int]:
    """Compare the networks of some numbers, and count what they show.

    Parameters
    ----------
    seed : of all networks
    numbers : the first one, and how many
    tell : called with each difference
    """
    found = Counter(dict.fromkeys(KINDS, 0))
    first, count = numbers
    for number in range(first, first + count):
        try:
            placement = RandomNetwork.draw(seed, number).compare()
            found["compared"] += 1
            found["with_strips"] += any(len(strips) > 1 for strips in placement.places.strips)
            found["with_weights_in_turns"] += Memory.WEIGHTS not in placement.resident
        except CapacityError:
            found["refused"] += 1
        except (AssertionError, FormatError) as error:
            found["differences"] += 1
            tell(f"network {number}: {''.join(traceback.format_exception(error))}")
    return dict(found)


def sources_digest() -> str:
    """Digest of the code of `qcnpe` that is compared, and of the generator of networks."""
    root = Path(qcnpe.__file__).parent
    paths = sorted(path for part in COMPARED for path in root.glob(part))
    paths.append(Path(__file__).with_name("random_networks.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


def parts_of(networks: int, first: int) -> list[tuple[int, int]]:
    """First number and size of each part."""
    return [(first + begin, min(PART, networks - begin)) for begin in range(0, networks, PART)]


def compare_all(
    work: Work, where: Workplace, keep: Callable[[Work], None], console: Console
) -> dict[str, int]:
    """Compare all parts that are not finished; the sums of all.

    Parameters
    ----------
    work : what is finished; parts are added
    where : processes
    keep : called after each part
    console : for progress and differences
    """
    left = [part for part in parts_of(work.networks, work.first) if str(part[0]) not in work.parts]
    with Progress(console=console) as progress:
        done = sum(
            size for first, size in parts_of(work.networks, work.first) if str(first) in work.parts
        )
        bar = progress.add_task("networks", total=work.networks, completed=done)
        found = run_tasks(compare_part, work.seed, left, where, lambda _, note: console.print(note))
        for index, counts in found:
            work.parts[str(left[index][0])] = counts
            progress.advance(bar, left[index][1])
            keep(work)
    return {kind: sum(part[kind] for part in work.parts.values()) for kind in KINDS}


def document_of(work: Work, figures: dict[str, int]) -> dict[str, object]:
    """The document that is committed."""
    return results_document(
        "make memory-networks",
        {"networks": work.networks, **figures},
        seed=work.seed,
        versions=package_versions(["numpy"]),
        sources_sha256=work.sources,
    )


def main() -> int:
    """The command line; the exit status says whether all networks are equal."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.qcnpe.placement.compare_networks", description=__doc__
    )
    parser.add_argument("--out", type=Path, help="JSON file of the figures")
    parser.add_argument("--progress", type=Path, help="file of what is finished, to go on later")
    parser.add_argument("--networks", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first network")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1, help="processes")
    options = parser.parse_args()
    work = Work(
        seed=options.seed,
        networks=options.networks,
        first=options.first,
        sources=sources_digest(),
    )
    if options.progress and options.progress.exists():
        earlier = read_document(options.progress, Work)
        work = earlier if earlier.is_same(work) else work

    def keep(done: Work) -> None:
        if options.progress:
            write_document(options.progress, asdict(done))

    console = Console()
    figures = compare_all(work, Workplace(workers=options.workers), keep, console)
    console.print(", ".join(f"{count:,} {kind}" for kind, count in figures.items()))
    if options.out:
        write_document(options.out, document_of(work, figures), indent=1)
    return int(figures["differences"] > 0 or figures["refused"] > work.networks // 10)


if __name__ == "__main__":
    with command("compare_networks"):
        sys.exit(main())
