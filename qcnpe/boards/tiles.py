"""From an engine's streams to a board's operations."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from qcnpe.spec.commands import TableLoad, TileCommand, decode_until_bad
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.frames import Operation, Request
from qcnpe.spec.streams import Streams


@dataclass(frozen=True, kw_only=True)
class WireStep:
    """A command with its words of the other streams.

    Attributes
    ----------
    command : the word
    loads_table : whether it loads the table of the activation function
    activations, weights : (beats, lanes) operands
    parameters : words of its neurons, or of the table
    results : number of result beats
    """

    command: int
    loads_table: bool
    activations: NDArray[np.uint16]
    weights: NDArray[np.uint16]
    parameters: NDArray[np.uint32]
    results: int


def cut_into_wire_steps(streams: Streams, config: EngineConfig) -> Iterator[WireStep]:
    """Split streams by command, up to a bad one: the engine halts there."""
    commands, error = decode_until_bad(config, streams.commands)
    words = streams.commands[: len(commands) + bool(error)].tolist()
    beat = parameter = 0
    for word, command in zip_longest(words, commands):  # a bad word has no command beside it
        loads_table = isinstance(command, TableLoad)
        beats, cols = (command.beats, command.cols) if isinstance(command, TileCommand) else (0, 0)
        parameters = config.table_segments + 1 if loads_table else cols
        yield WireStep(
            command=word,
            loads_table=loads_table,
            activations=streams.activations[beat : beat + beats],
            weights=streams.weights[beat : beat + beats],
            parameters=streams.parameters[parameter : parameter + parameters],
            results=cols,
        )
        beat, parameter = beat + beats, parameter + parameters


class OperandBufferMap:
    """The blocks that this host has written to an operand store of a board, and their addresses.

    Parameters
    ----------
    depth : capacity of the store in beats
    """

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self.forget()

    def forget(self) -> None:
        """Treat the store as empty."""
        self._places: dict[bytes, int] = {}
        self._free = 0

    def place(self, block: bytes, beats: int) -> tuple[int, bool]:
        """Address of a block, and whether it must be written there first.

        A full store is treated as empty: its blocks are written again when they are needed.
        """
        if block in self._places:
            return self._places[block], False
        if self._free + beats > self._depth:
            self.forget()
        address, self._free = self._free, self._free + beats
        self._places[block] = address
        return address, True


class Planner:
    """Turns steps into operations; operands that the board already stores are not sent again.

    No operation waits for a later one: the operands of a tile are stored before its command, and
    streamed to the engine before the next ones are stored.

    Parameters
    ----------
    depth : capacity of each store in beats
    """

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._stores = {"ACTIVATIONS": OperandBufferMap(depth), "WEIGHTS": OperandBufferMap(depth)}

    def forget(self) -> None:
        """Treat both stores as empty, as after a reset of the board."""
        for store in self._stores.values():
            store.forget()

    def requests(self, step: WireStep) -> Iterator[Request]:
        """Operations of a step, in order."""
        starts = range(0, len(step.activations), self._depth)
        head = [
            Request(Operation.COMMANDS, 1, 0, step.command.to_bytes(8, "little")),
            Request(Operation.PARAMETERS, len(step.parameters), 0, step.parameters.tobytes()),
        ]
        for start in starts:
            part = slice(start, start + self._depth)
            operands = {"ACTIVATIONS": step.activations[part], "WEIGHTS": step.weights[part]}
            plays = []
            for name, block in operands.items():
                words = np.ascontiguousarray(block).tobytes()
                address, new = self._stores[name].place(words, len(block))
                if new:
                    yield Request(Operation[f"STORE_{name}"], len(block), address, words)
                plays.append(Request(Operation[f"PLAY_{name}"], len(block), address))
            yield from (*head, *plays)
            head = []
        yield from head
