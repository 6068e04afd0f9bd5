"""The ladder of NCU variants: what each step of the design brings, measured the same way."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from qcnpe.rtl.ncu import Ncu
from qcnpe.spec.config import OPERAND_BITS, EngineConfig
from synth.adder_tree import Drives
from synth.flow import WORKERS
from synth.mapping import LibertyCells
from synth.measure import NcuFigures, measure_ncu
from synth.partial_products import ProductPlan
from synth.structural import MacTree, StructuralNcu
from synth.traces import Trace

FUSED = EngineConfig()
PLAIN = EngineConfig(ncu="plain16", precisions=(OPERAND_BITS,))
GATED = EngineConfig(ncu="gated")


@dataclass(frozen=True)
class Rung:
    """One variant.

    Attributes
    ----------
    key : short name
    title : what it is
    make : builds the NCU
    """

    key: str
    title: str
    make: Callable[[], Ncu]


def _tree(
    config: EngineConfig, drives: Drives, breaks: tuple[int, ...] = MacTree.breaks
) -> Callable[[], Ncu]:
    """A tree before its activations were stored inverted."""
    tree = MacTree(ProductPlan.of(config), drives, breaks, inverted_activations=False)
    return lambda: StructuralNcu(config, tree)


_STRONG = Drives(tree="XL", carry="X1")
_MIXED = Drives(carry="XL")

RUNGS = (
    Rung("plain16_default", "plain16, a*b mapped by default", lambda: Ncu(PLAIN)),
    Rung("fused_default", "fused, a sum of products a mode, mapped by default", lambda: Ncu(FUSED)),
    Rung("plain16_xl", "plain16, one adder tree of drive XL", _tree(PLAIN, _STRONG, ())),
    Rung("fused_xl", "fused, one adder tree of drive XL", _tree(FUSED, _STRONG, ())),
    Rung("plain16_xs", "plain16, tree XS, carry chain XL", _tree(PLAIN, _MIXED, ())),
    Rung("fused_xs", "fused, tree XS, carry chain XL", _tree(FUSED, _MIXED, ())),
    Rung("plain16_parts", "plain16, all XS, chain stored in 7 parts", _tree(PLAIN, Drives())),
    Rung("fused_parts", "fused, all XS, chain stored in 7 parts", _tree(FUSED, Drives())),
    Rung("plain16", "plain16, activations stored inverted", lambda: StructuralNcu(PLAIN)),
    Rung("fused", "fused, stored inverted and masked by NORs", lambda: StructuralNcu(FUSED)),
    Rung("gated", "gated, as plain16", lambda: StructuralNcu(GATED)),
)
"""From the default mapping to what the energy table prices."""

PRICED = ("plain16", "fused", "gated")
"""Keys of the variants that the energy table prices."""


def climb(
    cells: LibertyCells, trace: Trace, progress: Callable[[str], None] | None = None
) -> dict[str, NcuFigures]:
    """Measure every rung."""

    def measured(rung: Rung) -> NcuFigures:
        figures = measure_ncu(rung.make(), cells, trace, priced=rung.key in PRICED)
        if progress:
            progress(rung.title)
        return figures

    with ThreadPoolExecutor(WORKERS) as pool:
        found = list(pool.map(measured, RUNGS))
    return {rung.key: figures for rung, figures in zip(RUNGS, found, strict=True)}
