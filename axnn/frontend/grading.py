"""Quantised networks: how much of a file's integer arithmetic the engine repeats.

A foreign quantiser rounds a layer's result r to an integer of p bits over a scale. The engine adds
up, shifts to 16 bits, and rounds these to the p bits that the next layers read. Both give the same
integers if the scales are powers of two and

- the 16 bits hold the sum unrounded, as far as it does not saturate the p bits, or the 16-bit
  result has the scale of the p bits already: a result that is rounded twice may differ;
- a bias between two steps of the sums is rounded down: r reaches a threshold n / 2 of the quantiser
  if and only if the sum reaches it less the bias, and sums lie on steps;
- no r lies halfway between two integers, or the quantiser rounds that up, as the engine does.

This holds in exact arithmetic; tools that add up in floating point may round a sum.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from axnn.frontend.quantiser import Quantiser
from axnn.nn.layers import Addition, Identity, NeuronLayer
from axnn.nn.network import Network
from axnn.quantisation.integers import to_integers
from axnn.quantisation.quantize import INPUT_FRACTION_BITS
from axnn.quantisation.scales import LayerScale, ValueScale
from qcnpe.spec.activation import ACTIVATION_FRACTION_BITS, CURVES
from qcnpe.spec.commands import SHIFT_RANGE
from qcnpe.spec.config import MAX_PRECISIONS, OPERAND_BITS, EngineConfig
from qcnpe.spec.errors import QcnpeError
from qcnpe.spec.fixed import limits, round_shift
from qcnpe.spec.geometry import NETWORK_INPUT, Wiring
from qcnpe.spec.qnet import QuantNet

Integers = NDArray[np.int64]


class Grade(StrEnum):
    """How much of a quantised file's arithmetic an import keeps."""

    EXACT = "exact"
    VALUES = "values"
    FLOAT = "float"

    @property
    def meaning(self) -> str:
        """In a few words."""
        return _MEANINGS[self]


_MEANINGS = {
    Grade.EXACT: "every integer is the file's",
    Grade.VALUES: "weights and scales are the file's, some results are rounded otherwise",
    Grade.FLOAT: "weights are the numbers that the file's stand for, activations are not rounded",
}


@dataclass(frozen=True, eq=False)
class Quantisation:
    """What an import keeps of a quantised file.

    Attributes
    ----------
    grade : how much
    reasons : why it is not more, a line each; none if it is exact
    net : the network in the file's integers; None in grade float
    quantisers : of the results of each layer that has one, by its index, and of the input by -1
    values : scales of the results of each layer of `net`, and of the input by -1
    """

    grade: Grade
    reasons: tuple[str, ...]
    net: QuantNet | None
    quantisers: Mapping[int, Quantiser]
    values: Mapping[int, ValueScale]


class _NoGridError(Exception):
    """The file's numbers are not integers over powers of two; its text says which."""


def grade_network(
    network: Network, quantisers: Mapping[int, Quantiser], config: EngineConfig | None = None
) -> Quantisation:
    """Find out how much of a quantised network the engine repeats.

    Parameters
    ----------
    network : with the numbers that the file's weights stand for
    quantisers : of each layer's results by its index, and of the network's input by -1
    config : the engine; by default that of `EngineConfig`, or a gated one with the file's widths
    """
    own = dict(quantisers)
    try:
        grader = _Grader(network, own, config or _engine_for(own))
        net = grader.net()
    except (_NoGridError, QcnpeError) as error:
        return Quantisation(Grade.FLOAT, (str(error),), None, own, {})
    reasons = tuple(dict.fromkeys(grader.reasons))
    return Quantisation(Grade.VALUES if reasons else Grade.EXACT, reasons, net, own, grader.values)


def _engine_for(quantisers: Mapping[int, Quantiser]) -> EngineConfig:
    """The default engine, unless the quantisers have widths that it lacks, and another has them."""
    plain = EngineConfig()
    found = {quantiser.width for quantiser in quantisers.values()} - {None, OPERAND_BITS}
    widths = tuple(sorted((width for width in found if width), reverse=True))
    if set(widths) <= set(plain.precisions) or len(widths) >= MAX_PRECISIONS:
        return plain
    return EngineConfig(ncu="gated", precisions=(OPERAND_BITS, *widths))


class _Grader:
    """Chooses scales layer by layer, and collects why results may differ.

    Parameters
    ----------
    network, quantisers, config : as of `grade_network`

    Attributes
    ----------
    reasons, values : as of `Quantisation`, so far
    """

    def __init__(
        self, network: Network, quantisers: Mapping[int, Quantiser], config: EngineConfig
    ) -> None:
        self.reasons: list[str] = []
        self._network, self._quantisers, self._config = network.copy(), quantisers, config
        self._check_scales()
        self.values = {NETWORK_INPUT: self._input_scale()}
        self._largest = {NETWORK_INPUT: 1.0}
        self._unrounded: set[int] = set()  # layers without quantiser whose results 16 bits hold

    def net(self) -> QuantNet:
        """The network in integers."""
        scales, precision = [], []
        layers = zip(self._network.neuron_layers, self._network.spec.wirings, strict=True)
        for index, (layer, wiring) in enumerate(layers):
            width, scale = self._layer_scale(index, layer, wiring)
            scales.append(scale)
            shape = (wiring.channels, wiring.outputs)
            precision.append(np.full(shape, width, np.uint8))
        return to_integers(
            self._network,
            tuple(scales),
            tuple(precision),
            self._config,
            input_fraction_bits=self.values[NETWORK_INPUT].fraction_bits,
        )

    # Scales of values.
    def _check_scales(self) -> None:
        found = list(self._quantisers.values())
        odd = sum(quantiser.fraction_bits is None for quantiser in found)
        if odd:
            raise _NoGridError(f"the scales of {odd} of {len(found)} quantisers are no powers of 2")
        for index, quantiser in self._quantisers.items():
            if abs(_fraction_bits(quantiser)) > _MOST_FRACTION_BITS:
                raise _NoGridError(f"the scale of {self._name(index)} is {quantiser.scale:g}")
            if (quantiser.high - quantiser.low).bit_length() > OPERAND_BITS:
                raise _NoGridError(f"{self._name(index)} is rounded to more than 16 bits")

    def _input_scale(self) -> ValueScale:
        quantiser = self._quantisers.get(NETWORK_INPUT)
        if quantiser is None:
            self.reasons.append("the network's input has no quantiser: it is rounded to 16 bits")
            return self._value_scale(INPUT_FRACTION_BITS, None)
        bits = _fraction_bits(quantiser)
        if bits > INPUT_FRACTION_BITS:
            raise _NoGridError("the steps of the network's input are finer than 16 bits")
        rises = quantiser.unsigned and quantiser.rounds_up_from_zero
        exact = quantiser.rounding == "HALF_UP" and rises
        if not exact:
            self._say(NETWORK_INPUT, f"is rounded by {_rule(quantiser)}, here half up")
        return self._value_scale(bits, quantiser)

    def _value_scale(self, fraction_bits: int, quantiser: Quantiser | None) -> ValueScale:
        """Scales of values; those without a quantiser are read at 16 bits only."""
        narrow = fraction_bits if quantiser is None else _fraction_bits(quantiser)
        widths = dict.fromkeys(self._config.precisions, narrow)
        widths[OPERAND_BITS] = fraction_bits
        return ValueScale(fraction_bits, quantiser is not None and quantiser.unsigned, widths)

    # Scales of layers.
    def _layer_scale(
        self, index: int, layer: NeuronLayer, wiring: Wiring
    ) -> tuple[int, LayerScale]:
        """Width and scale of a layer, whose biases become those of its integers."""
        reads = tuple(source.reads(index) for source in wiring.sources)
        values = tuple(self.values[read] for read in reads)
        quantiser = self._quantisers.get(index)
        if isinstance(layer, Identity) and quantiser == self._quantisers.get(reads[0]):
            self._largest[index] = self._largest[reads[0]]  # it passes on what is not rounded yet
            self._unrounded |= {index} if reads[0] in self._unrounded else set()
            width, bits = OPERAND_BITS, values[0].fraction_bits
            products = np.full(wiring.channels, bits)
        else:
            width, products = self._products(index, layer, wiring, reads)
            bits = self._result_bits(index, layer, products, self._reach(layer, wiring, reads))
        output_bits = ACTIVATION_FRACTION_BITS if layer.function in CURVES else bits
        shifts = products - bits
        if shifts.min() < SHIFT_RANGE[0] or shifts.max() > SHIFT_RANGE[1]:
            raise _NoGridError(f"the scales of {self._name(index)} differ too much")
        self.values[index] = self._value_scale(output_bits, quantiser)
        return width, LayerScale(
            values=values,
            products={width: products},
            fraction_bits=bits,
            output_fraction_bits=output_bits,
        )

    def _products(
        self, index: int, layer: NeuronLayer, wiring: Wiring, reads: Sequence[int]
    ) -> tuple[int, Integers]:
        """Width of a layer's neurons, and (channels,) fraction bits of their products."""
        given = [self._quantisers.get(read) for read in reads]
        least = max(self._bits_read(index, reads, given), 2)
        for width in sorted(self._config.precisions):
            steps = [self.values[read].narrow[width] for read in reads]
            found = _product_bits(layer, steps, width) if width >= least else None
            if found is not None:
                self._check_width(index, reads, given, width)
                return width, found
        raise _NoGridError(
            f"the weights of {self._name(index)} are no integers of up to 16 bits over powers of 2"
        )

    def _bits_read(
        self, index: int, reads: Sequence[int], given: Sequence[Quantiser | None]
    ) -> int:
        """Bits that the operands of a layer have."""
        for read, quantiser in zip(reads, given, strict=True):
            if quantiser is None and read not in {NETWORK_INPUT, *self._unrounded}:
                self._say(index, f"reads {self._name(read)}, which has no quantiser")
        if None in given:
            return OPERAND_BITS
        mixed = len({quantiser.unsigned for quantiser in given if quantiser}) > 1
        if mixed:
            self._say(index, "reads values with and without sign")
        spans = [quantiser.high - quantiser.low for quantiser in given if quantiser]
        return max(spans).bit_length() + mixed

    def _check_width(
        self, index: int, reads: Sequence[int], given: Sequence[Quantiser | None], width: int
    ) -> None:
        for read, quantiser in zip(reads, given, strict=True):
            if quantiser is None or quantiser.width == width:
                continue
            unit = "" if quantiser.width is None else f" ({quantiser.width} bits)"
            self._say(
                index,
                f"reads {self._name(read)} at {width} bits, whose values lie in"
                f" {quantiser.low}..{quantiser.high}{unit}",
            )

    def _reach(self, layer: NeuronLayer, wiring: Wiring, reads: Sequence[int]) -> float:
        """Largest magnitude that a sum of a layer can have, with its bias."""
        weights = np.abs(layer.operand_weights().astype(np.float64))
        sums = np.zeros(wiring.channels)
        for read, (_, columns) in zip(reads, wiring.columns(), strict=True):
            quantiser = self._quantisers.get(read)
            largest = self._largest[read]
            if quantiser is not None:
                largest = max(-quantiser.low, quantiser.high) * quantiser.scale
            sums += weights[:, columns].sum(axis=1) * largest
        return float((sums + np.abs(layer.bias.value)).max())

    # Fraction bits of results.
    def _result_bits(self, index: int, layer: NeuronLayer, products: Integers, reach: float) -> int:
        """Fraction bits of a layer's results; its biases become multiples of their step."""
        self._largest[index] = reach
        quantiser = self._quantisers.get(index)
        if layer.function in CURVES:
            self._say(index, f"computes {layer.function} by line segments")
            bits = CURVES[layer.function].input_fraction_bits
            self._largest[index] = 1.0
        elif quantiser is None:
            bits = self._plain_bits(index, layer, products, reach)
        else:
            bits = self._rounded_bits(index, layer, products, quantiser)
        self._check_bias(index, layer, bits)
        return bits

    def _plain_bits(self, index: int, layer: NeuronLayer, products: Integers, reach: float) -> int:
        """Those of results that no quantiser rounds: as fine as 16 bits hold without saturation."""
        bias = layer.bias.value.astype(np.float64)
        finest = int(max(products.max(), _needed(bias[None])[0]))
        most = int(np.floor(np.log2(limits(OPERAND_BITS)[1] / max(reach, 2.0**-60))))
        if products.max() > most:
            needed = int(products.max()) - most + OPERAND_BITS
            self._say(index, f"has results of {needed} bits, here rounded to {OPERAND_BITS}")
        elif finest <= most:
            self._unrounded.add(index)
        else:
            self._say(index, f"has biases that are rounded to multiples of 2**{-most}")
        bits = min(finest, most)
        layer.bias.value[...] = np.floor(np.ldexp(bias, bits) + 0.5) * 2.0**-bits
        return bits

    def _rounded_bits(
        self, index: int, layer: NeuronLayer, products: Integers, quantiser: Quantiser
    ) -> int:
        """Those of results that a quantiser rounds: unrounded, or with its own scale."""
        own, bias = _fraction_bits(quantiser), layer.bias.value.astype(np.float64)
        floors = quantiser.rounding == "FLOOR" or (
            quantiser.rounding == "DOWN" and _rises(quantiser, layer)
        )
        bias -= 2.0 ** -(own + 1) if floors else 0.0  # half up of half a step less
        if not floors:
            self._check_ties(index, layer, products, quantiser)
        most = own + _room(quantiser)
        finest = max(int(products.max()), own)
        if not _is_multiple(bias, finest).all():
            finest = max(finest, own + 1)
        if finest <= most:
            bits = finest
        elif _is_multiple(bias, own).all():
            bits = own
        else:
            bits = most
            self._say(
                index,
                f"is rounded twice: its sums have {finest - own} bits below the steps of its"
                f" results, the 16 bits of a result have {most - own}",
            )
        layer.bias.value[...] = np.floor(np.ldexp(bias, bits)) * 2.0**-bits
        return bits

    def _check_ties(
        self, index: int, layer: NeuronLayer, products: Integers, quantiser: Quantiser
    ) -> None:
        """Say so if a result may lie between two integers where the rules differ."""
        if quantiser.rounding == "HALF_UP" and _rises(quantiser, layer):
            return
        own, bias = _fraction_bits(quantiser), layer.bias.value.astype(np.float64)
        halves = _is_multiple(bias + 2.0 ** -(own + 1), np.maximum(products, own))
        if quantiser.rounding in ("ROUND", "HALF_UP", "HALF_DOWN") and not halves.any():
            return
        self._say(index, f"is rounded by {_rule(quantiser)}, here half up")

    def _check_bias(self, index: int, layer: NeuronLayer, bits: int) -> None:
        low, high = limits(OPERAND_BITS)
        steps = np.ldexp(layer.bias.value.astype(np.float64), bits)
        if (steps < low).any() or (steps > high).any():
            self._say(index, "has biases of more than 16 bits")

    # Messages.
    def _say(self, index: int, reason: str) -> None:
        self.reasons.append(f"{self._name(index)} {reason}")

    def _name(self, index: int) -> str:
        if index == NETWORK_INPUT:
            return "the network's input"
        return self._network.neuron_layers[index].name


_RULES = {
    "ROUND": "halves to even",
    "HALF_UP": "halves away from zero",
    "HALF_DOWN": "halves towards zero",
    "FLOOR": "rounding down",
    "CEIL": "rounding up",
    "DOWN": "rounding towards zero",
    "UP": "rounding away from zero",
}


def _rule(quantiser: Quantiser) -> str:
    return _RULES[quantiser.rounding]


def _rises(quantiser: Quantiser, layer: NeuronLayer) -> bool:
    """Whether rounding away from zero is rounding up for all results of a layer."""
    positive = quantiser.unsigned or layer.function == "relu"
    return positive and quantiser.rounds_up_from_zero


def _fraction_bits(quantiser: Quantiser) -> int:
    if quantiser.fraction_bits is None:
        raise _NoGridError("a quantiser's scale is no power of 2")
    return quantiser.fraction_bits


def _room(quantiser: Quantiser) -> int:
    """Most bits below a quantiser's steps with which 16 bits reach its saturation."""
    low, high = limits(OPERAND_BITS)
    lowest = max(quantiser.low, low)
    shift = OPERAND_BITS - 1
    while shift and not (
        round_shift(high, shift) >= quantiser.high and round_shift(low, shift) <= lowest
    ):
        shift -= 1
    return shift


def _is_multiple(values: NDArray[np.float64], bits: int | Integers) -> NDArray[np.bool_]:
    """Whether values are multiples of 2**-bits."""
    steps = np.ldexp(values, bits)
    return steps == np.floor(steps)


def _needed(values: NDArray[np.float64]) -> Integers:
    """(rows,) least fraction bits with which all values of a row are integers."""
    mantissa, exponent = np.frexp(values)
    whole = np.abs(np.ldexp(mantissa, _MANTISSA_BITS)).astype(np.int64)
    lowest = np.log2(np.maximum(whole & -whole, 1)).astype(np.int64)
    needed = np.where(whole > 0, _MANTISSA_BITS - exponent - lowest, _NO_BITS)
    found: Integers = needed.max(axis=1)
    return found


_MOST_FRACTION_BITS = 40
_MANTISSA_BITS = 53
_NO_BITS = -(1 << 10)


def _product_bits(layer: NeuronLayer, steps: Sequence[int], width: int) -> Integers | None:
    """(channels,) fraction bits with which all weights are integers of a width; None if too wide.

    Parameters
    ----------
    layer : the layer
    steps : fraction bits of what each source reads
    width : of the neurons
    """
    parts = layer.parts if isinstance(layer, Addition) else (layer,)
    weights = [part.operand_weights().astype(np.float64) for part in parts]
    needed = [_needed(own) + step for own, step in zip(weights, steps, strict=True)]
    found: Integers = np.max(needed, axis=0)
    used = found > _NO_BITS // 2  # the others have no weight but zero, on any grid
    found = np.where(used, found, found[used].min(initial=max(steps)))
    low, high = limits(width)
    for part, own, step in zip(parts, weights, steps, strict=True):
        integers = np.ldexp(own, (found - step)[:, None])
        fits = isinstance(part, Identity) or (integers.min() >= low and integers.max() <= high)
        if not fits or (found - step).max() > _MOST_WEIGHT_BITS:
            return None
    return found


_MOST_WEIGHT_BITS = 40
"""Fraction bits of weights at most: more come from numbers that are no integers over a scale."""
