"""Sessions of the host's transport with a board in software, over a line with faults."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from qcnpe.boards.transport import BoardTransport
from qcnpe.random_work import random_streams
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.errors import TransportError
from qcnpe.spec.model import execute
from qcnpe.spec.streams import Streams
from tests.qcnpe.boards.frame_faults import FaultyPort, randomly
from tests.qcnpe.boards.software_board import SoftwareBoard, SoftwarePort

CONFIG = EngineConfig(rows=2, cols=2, fifo_depth=8, ncu="dsp", precisions=(16, 4))
TIMEOUT, ATTEMPTS = 0.4, 4
EXCHANGES = 2


@dataclass(frozen=True)
class Ending:
    """How a session ended.

    Attributes
    ----------
    error : its message; none if all results came
    port : with the number of frames and of faults
    seconds : of simulated time
    restarts : sessions that were lost on the way
    """

    error: str | None
    port: FaultyPort
    seconds: float
    restarts: int


@cache
def work(seed: int) -> tuple[Streams, np.ndarray]:
    """Streams and the integer model's results."""
    streams = random_streams(CONFIG, 3, seed, max_beats=5)
    return streams, execute(CONFIG, streams).results


@cache
def cycles(seed: int) -> int:
    """Cycles that the board counts for some work if nothing is lost."""
    board = SoftwareBoard(CONFIG)
    with BoardTransport(SoftwarePort(board)) as engine:
        engine.exchange(work(seed)[0])
    return board.cycles


def run_session(faulty: Callable[[SoftwarePort], FaultyPort], seeds: range) -> Ending:
    """Exchange streams; results and cycles that come back must be right.

    Parameters
    ----------
    faulty : puts faults on the line
    seeds : of the work
    """
    inner = SoftwarePort(SoftwareBoard(CONFIG, store=16))
    port = faulty(inner)
    losses: list[str] = []
    error = None
    try:
        engine = BoardTransport(port, timeout=TIMEOUT, attempts=ATTEMPTS, clock=inner.clock)
        losses = engine.losses
        expected = 0
        for seed in seeds:
            streams, results = work(seed)
            np.testing.assert_array_equal(engine.exchange(streams), results)
            expected += cycles(seed)
            assert engine.cycles == expected
    except TransportError as raised:
        error = str(raised)
    return Ending(error, port, inner.now, len(losses))


def random_session(seed: int) -> Ending:
    """A session with faults of all kinds, from rare to frequent."""
    rng = np.random.default_rng(seed)
    rate = float(rng.choice([0.01, 0.03, 0.1, 0.3]))

    def faulty(port: SoftwarePort) -> FaultyPort:
        return FaultyPort(
            port,
            port.clock,
            to_board=randomly(rng, rate),
            to_host=randomly(rng, rate),
            seed=seed,
            longest=3 * TIMEOUT,
        )

    first = int(rng.integers(40))
    return run_session(faulty, range(first, first + EXCHANGES))


def check_random_sessions(seeds: range) -> list[Ending]:
    """Every session ends in time, with right results or with one clear line.

    The bound is that of `BoardTransport`: twice the timeout from one step forward to the next, and
    there are no more steps than frames. A fault costs two sessions at most: a greeting that arrives
    late is missed in its own, and resets the board in the next one.
    """
    endings = []
    for seed in seeds:
        ending = random_session(seed)
        assert ending.seconds <= 2 * TIMEOUT * (ending.port.frames + ATTEMPTS), f"seed {seed}"
        if ending.error is not None:
            assert 2 * ending.port.faults >= ATTEMPTS, f"seed {seed}: {ending.error}"
            assert f"(tried {ATTEMPTS} times)" in ending.error, f"seed {seed}"
        endings.append(ending)
    return endings
