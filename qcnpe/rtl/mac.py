"""The multiplier of a neural compute unit (NCU): what all kinds have in common."""

from collections.abc import Iterator
from importlib import import_module

from amaranth.hdl import Module, Value, signed
from amaranth.lib.wiring import In, Out

from qcnpe.rtl.component import Component
from qcnpe.rtl.layouts import mode_bits
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from qcnpe.spec.errors import ConfigError

PRODUCT_BITS = 2 * OPERAND_BITS + 1
"""Bits of a sum of products: an unsigned by a signed 16-bit operand is the widest."""


class Mac(Component):
    """Sum of the products of two lanes; each subclass computes it in its own way.

    On a packed kind (`NcuKind`) a lane holds 16/p operands of p bits, where p is the precision with
    index `mode`; product i multiplies field i of both lanes. Other kinds multiply one pair.

    Latency: none, combinational; one cycle on a staged engine.

    Parameters
    ----------
    config : the engine

    Ports
    -----
    activations, weights : in, 16 bits each, one lane each
    is_unsigned : in, 1 bit, the activations are unsigned
    mode : in, `mode_bits(config)` bits, index of the precision; absent if that is zero
    product : out, `PRODUCT_BITS` bits, signed, the sum of products
    """

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        ports = {
            "activations": In(OPERAND_BITS),
            "weights": In(OPERAND_BITS),
            "is_unsigned": In(1),
            "product": Out(signed(PRODUCT_BITS)),
        }
        if mode_bits(config):
            ports["mode"] = In(mode_bits(config))
        super().__init__(ports)

    def _cases(self, m: Module) -> Iterator[int]:
        """Each precision, within the case of its mode."""
        if not mode_bits(self.config):
            yield OPERAND_BITS
            return
        with m.Switch(self.mode):
            for mode, precision in enumerate(self.config.precisions):
                with m.Case(mode):
                    yield precision


def make_mac(config: EngineConfig) -> Mac:
    """The multiplier that the engine's kind names.

    Raises
    ------
    ConfigError
        If there is no such class.
    """
    module, _, name = config.kind.multiplier.partition(":")
    try:
        component = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"ncu {config.ncu} must name a multiplier as module:class,"
            f" not {config.kind.multiplier!r} ({error})"
        ) from error
    multiplier: Mac = component(config)
    return multiplier


def add_in_pairs(terms: list[Value]) -> Value:
    """Sum of any number of terms, as a tree."""
    while len(terms) > 1:
        odd = terms[-1:] if len(terms) % 2 else []
        pairs = zip(terms[::2], terms[1::2], strict=False)
        terms = [left + right for left, right in pairs] + odd
    return terms[0]
