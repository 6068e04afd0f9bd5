"""Long random runs of the Verilated engine against the integer model.

`python -m sim.long` compares more than a million results of random tiles on engines of several
sizes and kinds, with streams at full rate and with streams that are idle in some cycles. Then it
halts engines more than a hundred thousand times by bad commands, each with the operands that it
asks for and with more work behind it: the results of work before the halt and after the resume must
be right.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qcnpe.command_line import command
from qcnpe.random_work import bad_commands, count_results, random_streams, with_bad_commands
from qcnpe.spec.commands import ErrorCause, check_command
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.cycles import count_cycles
from qcnpe.spec.documents import write_document
from qcnpe.spec.model import execute
from qcnpe.terminal import Console
from sim.transport import SimulationTransport

Report = Callable[[str], None]

RESTS = (0, 60, 200)
"""Probabilities, in 1/256, that a stream is idle in a cycle."""

_CHUNK_TILES = 500
_CHUNK_HALTS = 1000
_CHUNK_PIECES = 40


@dataclass(frozen=True, kw_only=True)
class RandomRun:
    """Random tiles for one engine: their number and their largest length."""

    config: EngineConfig
    tiles: int
    max_beats: int


RANDOM_RUNS = (
    RandomRun(config=EngineConfig(rows=1, cols=1), tiles=20_000, max_beats=16),
    RandomRun(config=EngineConfig(rows=2, cols=3), tiles=15_000, max_beats=16),
    RandomRun(config=EngineConfig(rows=4, cols=4), tiles=12_000, max_beats=40),
    RandomRun(config=EngineConfig(rows=5, cols=7), tiles=9_000, max_beats=40),
    RandomRun(config=EngineConfig(), tiles=9_000, max_beats=60),
    RandomRun(
        config=EngineConfig(rows=4, cols=4, ncu="gated", precisions=(16, 12, 5)),
        tiles=6_000,
        max_beats=40,
    ),
)

FUZZ_RUNS = ((EngineConfig(rows=4, cols=4), 60_000), (EngineConfig(), 60_000))
"""Engines, and the number of bad commands for each."""


@dataclass
class Tally:
    """Numbers of compared items.

    Attributes
    ----------
    results : results of tiles, one for each row and column or pooling window, with narrow copies
    products : multiplications of which they are the sums
    bad_commands : commands at which the engine halted
    causes : number of bad commands by cause
    mismatches : results, cycle counts or error causes that differ from the model's
    """

    results: int = 0
    products: int = 0
    bad_commands: int = 0
    mismatches: int = 0
    causes: dict[str, int] | None = None

    def figures(self) -> dict[str, int]:
        """Flat numbers by name."""
        causes = {f"fuzz_{name}": count for name, count in (self.causes or {}).items()}
        return {
            "random_macs_checked": self.results,
            "random_products_checked": self.products,
            "fuzz_commands": self.bad_commands,
            **causes,
            "long_mismatches": self.mismatches,
        }


def run_random(
    run: RandomRun,
    tally: Tally,
    *,
    seed: int,
    rests: Sequence[int] = RESTS,
    report: Report = print,
    coverage: Path | None = None,
) -> None:
    """Random tiles, a share at each rate of the streams; at full rate cycles are compared, too."""
    config = run.config
    for rest in rests:
        chunks = max(1, round(run.tiles / len(rests) / _CHUNK_TILES))
        with SimulationTransport(config, rest=rest, coverage=coverage) as engine:
            for chunk in range(chunks):
                tiles = min(_CHUNK_TILES, run.tiles)
                # Every second chunk has short tiles, which wait for the drain of one another.
                max_beats = run.max_beats if chunk % 2 == 0 else config.cols
                streams = random_streams(
                    config, tiles, seed + 1000 * rest + chunk, max_beats=max_beats
                )
                found = engine.exchange(streams)
                tally.mismatches += int((found != execute(config, streams).results).sum())
                if rest == 0:
                    counted = count_cycles(config, streams.decode(config))
                    tally.mismatches += engine.last_cycles != counted
                results, products = count_results(config, streams)
                tally.results += results
                tally.products += products
        report(f"{_name(config)}, streams resting {rest}/256: {tally.results:,} results")


def run_fuzz(
    config: EngineConfig,
    count: int,
    tally: Tally,
    *,
    seed: int,
    rest: int = 0,
    report: Report = print,
    coverage: Path | None = None,
) -> None:
    """Halts by bad commands among good ones; sometimes good work, with cycles compared, too."""
    causes = tally.causes = tally.causes or {c.name.lower(): 0 for c in ErrorCause if c}
    with SimulationTransport(config, rest=rest, coverage=coverage) as engine:
        for chunk, start in enumerate(range(0, count, _CHUNK_HALTS)):
            chunk_seed = seed + chunk
            bad = bad_commands(config, min(_CHUNK_HALTS, count - start), chunk_seed)
            pieces = [
                random_streams(config, 1 + n % 3, 1000 * chunk_seed + n, max_beats=12)
                for n in range(_CHUNK_PIECES)
            ]
            segments = [
                with_bad_commands(config, pieces[n % len(pieces)], [word], chunk_seed + n)
                for n, word in enumerate(bad.tolist())
            ]
            for streams, found in zip(segments, engine.exchange_segments(segments), strict=True):
                expected = execute(config, streams)
                tally.mismatches += not np.array_equal(found.results, expected.results)
                tally.mismatches += found.error != expected.error
            after = pieces[0]
            results = engine.exchange(after)
            tally.mismatches += int((results != execute(config, after).results).sum())
            if rest == 0:
                tally.mismatches += engine.last_cycles != count_cycles(config, after.decode(config))
            tally.bad_commands += len(bad)
            for word in bad.tolist():
                causes[check_command(config, word).name.lower()] += 1
    report(f"{_name(config)}: {tally.bad_commands:,} bad commands")


def run_all(*, seed: int, report: Report = print) -> Tally:
    """All random and fuzz runs."""
    tally = Tally()
    for run in RANDOM_RUNS:
        run_random(run, tally, seed=seed, report=report)
    for config, count in FUZZ_RUNS:
        run_fuzz(config, count, tally, seed=seed, report=report)
    return tally


def _name(config: EngineConfig) -> str:
    return f"{config.rows}x{config.cols} {config.ncu}"


def main() -> int:
    """The command line; the exit status says whether everything agreed."""
    parser = argparse.ArgumentParser(prog="python -m sim.long", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    options = parser.parse_args()
    console = Console()
    tally = run_all(seed=options.seed, report=console.print)
    figures = tally.figures()
    if options.out is not None:
        write_document(options.out, {"seed": options.seed, **figures}, indent=1)
    for name, value in figures.items():
        console.print(f"{name:24} {value:>14,}")
    return int(tally.mismatches > 0)


if __name__ == "__main__":
    with command("long"):
        sys.exit(main())
