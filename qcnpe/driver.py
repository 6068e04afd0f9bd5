"""The host's driver: runs programs on a model, a simulation or a board, with the same code."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from qcnpe.compiler import LayerProgram, Program, TileGroup
from qcnpe.spec.commands import ErrorCause
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.cycles import count_cycles
from qcnpe.spec.errors import FormatError, TransportError
from qcnpe.spec.fixed import narrow, pack
from qcnpe.spec.geometry import NETWORK_INPUT
from qcnpe.spec.graph import run_graph
from qcnpe.spec.inputs import check_codes
from qcnpe.spec.model import execute
from qcnpe.spec.qnet import QuantNet
from qcnpe.spec.streams import Streams, unpack_result

Activations = Mapping[int, NDArray[np.integer]]
"""A layer's inputs by operand width: (batch, features), as the engine's narrow copies hold them."""


class BadCommandError(TransportError):
    """The engine halted at a bad command.

    Parameters
    ----------
    cause : what is wrong with it
    """

    def __init__(self, cause: ErrorCause) -> None:
        super().__init__(
            f"the engine halted at a bad command ({cause.name.lower()}); compile for this engine"
        )


class Transport(ABC):
    """A way to an engine.

    Attributes
    ----------
    config : the engine's parameters
    cycles : cycles in which the engine was busy, over all exchanges
    """

    config: EngineConfig
    cycles: int

    @abstractmethod
    def exchange(self, streams: Streams) -> NDArray[np.uint64]:
        """Send four streams; returns the result lanes (results, rows).

        Raises
        ------
        TransportError
            If the engine halts at a bad command or does not answer.
        """


class ModelTransport(Transport):
    """The bit-exact reference model as a transport."""

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        self.cycles = 0

    def exchange(self, streams: Streams) -> NDArray[np.uint64]:
        """Execute the streams in the model."""
        outcome = execute(self.config, streams)
        if outcome.error:
            raise BadCommandError(outcome.error)
        self.cycles += count_cycles(self.config, streams.decode(self.config))
        return outcome.results


class Driver:
    """Host side of an engine.

    Parameters
    ----------
    transport : the way to the engine
    """

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    def run(
        self,
        program: Program,
        inputs: NDArray[np.int16],
        progress: Callable[[str], None] | None = None,
    ) -> NDArray[np.int16]:
        """Outputs of the last layer for one batch.

        Parameters
        ----------
        program : compiled for the transport's engine
        inputs : int16 (program.batch, features), see `QuantNet.quantize_inputs`
        progress : called with the name of each finished layer

        Returns
        -------
        (batch, outputs) int16, channels outermost.

        Raises
        ------
        InputError
            If the inputs are of another type or shape.
        FormatError
            If the program was compiled for another engine.
        """
        check_codes(inputs, program.net.inputs, where="the program", batch=program.batch)
        if program.config != self.transport.config:
            raise FormatError(
                "the program was compiled for another engine; compile it for this one"
            )

        def run(index: int, read: list[Activations]) -> Activations:
            layer = program.layers[index]
            flat = _flat_input(read)
            lanes = self.transport.exchange(layer_streams(program, layer, flat))
            results = _collect(program, layer, lanes)
            if progress is not None:
                progress(layer.layer.name)
            return results

        reads = [program.net.reads(index) for index in range(len(program.layers))]
        first = _host_copies(program.net, program.arrange_inputs(inputs).astype(np.int64))
        return run_graph(reads, first, run)[OPERAND_BITS].astype(np.int16)


def _host_copies(net: QuantNet, inputs: NDArray[np.integer]) -> Activations:
    """The network's input and its narrow copies, which the host makes."""
    copies = net.copies(NETWORK_INPUT)
    return {OPERAND_BITS: inputs} | {
        width: narrow(inputs, shift, width, unsigned=copies.unsigned)
        for width, shift in copies.shifts.items()
    }


def _flat_input(values: list[Activations]) -> Activations:
    """A layer's flat input (see `Wiring`) at each width that all its sources have."""
    if len(values) == 1:
        return values[0]
    widths = set.intersection(*(set(each) for each in values))
    return {width: np.concatenate([each[width] for each in values], axis=1) for width in widths}


def layer_streams(program: Program, layer: LayerProgram, values: Activations) -> Streams:
    """Everything that the engine needs for one layer of a batch.

    Parameters
    ----------
    program : the compiled network
    layer : one of its layers
    values : the layer's flat input, see `Wiring`
    """
    groups, sent = layer.groups, _groups_of_tiles(layer)[layer.order]
    beats = np.array([len(group.weights) for group in groups])
    cols = np.array([len(group.channels) for group in groups])
    lanes = [_pack_rows(program, layer, group, values[group.precision]) for group in groups]
    tile_beats = beats[_groups_of_tiles(layer)]
    weights = np.concatenate([group.weights for group in groups])
    parameters = np.concatenate([group.parameters for group in groups])
    knots = [] if layer.knots is None else [layer.knots]
    return Streams(
        commands=layer.commands,
        activations=np.concatenate(lanes)[_runs(tile_beats, layer.order)],
        weights=weights[_runs(beats, sent)],
        parameters=np.concatenate([*knots, parameters[_runs(cols, sent)]]),
        results=int(cols[sent].sum()),
    )


def _groups_of_tiles(layer: LayerProgram) -> NDArray[np.intp]:
    """Number of the group of each tile, for the tiles of all groups one after another."""
    return np.repeat(np.arange(len(layer.groups)), [len(group.commands) for group in layer.groups])


def _runs(sizes: NDArray[np.intp], chosen: NDArray[np.intp]) -> NDArray[np.intp]:
    """Indices of all elements of the chosen runs, for runs of these sizes one after another."""
    starts, lengths = (np.cumsum(sizes) - sizes)[chosen], sizes[chosen]
    before = np.cumsum(lengths) - lengths
    return np.repeat(starts - before, lengths) + np.arange(lengths.sum())


def _pack_rows(
    program: Program, layer: LayerProgram, group: TileGroup, values: NDArray[np.integer]
) -> NDArray[np.uint16]:
    """(tiles * beats, engine rows) lanes of one group's tiles."""
    config, wiring = program.config, layer.layer.wiring
    padded = np.concatenate([values, np.zeros((len(values), 1), np.int64)], axis=1)
    operands = padded[:, wiring.chosen_operands(group.outputs, group.operands)]
    lanes = pack(operands, group.precision, config.pairs(group.precision))
    rows = lanes.reshape(-1, lanes.shape[-1])
    used = config.window_rows(wiring.window)
    tiles, beats = len(group.commands), lanes.shape[-1]
    filled = np.zeros((tiles * used, beats), np.uint16)
    filled[: len(rows)] = rows
    stream = np.zeros((tiles, beats, config.rows), np.uint16)
    stream[:, :, :used] = filled.reshape(tiles, used, beats).transpose(0, 2, 1)
    return stream.reshape(tiles * beats, config.rows)


def _collect(program: Program, layer: LayerProgram, results: NDArray[np.uint64]) -> Activations:
    """Bring result lanes back into (batch, features) at every width that later layers read."""
    config, wiring = program.config, layer.layer.wiring
    window, batch = wiring.window, program.batch
    cols = np.array([len(group.channels) for group in layer.groups])
    by_group = np.empty_like(results)
    by_group[_runs(cols[_groups_of_tiles(layer)], layer.order)] = results
    lanes = np.zeros((batch, wiring.channels, wiring.outputs), np.uint64)
    start = 0
    for group in layer.groups:
        tiles, used = len(group.commands), len(group.channels)
        block = by_group[start : start + tiles * used].reshape(tiles, used, config.rows)
        start += tiles * used
        heads = block[:, :, : config.window_rows(window) : window].transpose(1, 0, 2)
        items = heads.reshape(used, -1)[:, : batch * len(group.outputs)]
        found = items.reshape(used, batch, len(group.outputs)).transpose(1, 0, 2)
        lanes[np.ix_(np.arange(batch), group.channels, group.outputs)] = found
    flat = layer.arrange_results(lanes.reshape(batch, -1))
    values = {}
    if not layer.copies.only:
        values[OPERAND_BITS] = unpack_result(config, flat, OPERAND_BITS)
    for width in layer.copies.shifts:
        values[width] = unpack_result(config, flat, width, unsigned=layer.copies.unsigned)
    return values


class _Recorder(ModelTransport):
    """The bit-exact reference model, with a record of its streams."""

    def __init__(self, config: EngineConfig) -> None:
        super().__init__(config)
        self.streams: list[Streams] = []

    def exchange(self, streams: Streams) -> NDArray[np.uint64]:
        """Record and execute the streams."""
        self.streams.append(streams)
        return super().exchange(streams)


def program_streams(program: Program, inputs: NDArray[np.int16]) -> list[Streams]:
    """The streams of each layer of a batch, as the driver sends them."""
    transport = _Recorder(program.config)
    Driver(transport).run(program, inputs)
    return transport.streams
