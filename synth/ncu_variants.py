"""Variants of the neural compute unit (NCU), one for each step of its design, measured alike."""

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
class Variant:
    """One variant.

    Attributes
    ----------
    key : short name
    title : description for tables
    make : builds the NCU
    """

    key: str
    title: str
    make: Callable[[], Ncu]


def _tree(
    config: EngineConfig, drives: Drives, breaks: tuple[int, ...] = MacTree.breaks
) -> Callable[[], Ncu]:
    """An NCU with a tree whose activations are not stored inverted."""
    tree = MacTree(ProductPlan.of(config), drives, breaks, inverted_activations=False)
    return lambda: StructuralNcu(config, tree)


_STRONG = Drives(tree="XL", carry="X1")
_MIXED = Drives(carry="XL")

VARIANTS = (
    Variant("plain16_default", "plain16, a*b mapped by default", lambda: Ncu(PLAIN)),
    Variant(
        "fused_default", "fused, a sum of products a mode, mapped by default", lambda: Ncu(FUSED)
    ),
    Variant("plain16_xl", "plain16, one adder tree of drive XL", _tree(PLAIN, _STRONG, ())),
    Variant("fused_xl", "fused, one adder tree of drive XL", _tree(FUSED, _STRONG, ())),
    Variant("plain16_xs", "plain16, tree XS, carry chain XL", _tree(PLAIN, _MIXED, ())),
    Variant("fused_xs", "fused, tree XS, carry chain XL", _tree(FUSED, _MIXED, ())),
    Variant("plain16_parts", "plain16, all XS, chain stored in 7 parts", _tree(PLAIN, Drives())),
    Variant("fused_parts", "fused, all XS, chain stored in 7 parts", _tree(FUSED, Drives())),
    Variant("plain16", "plain16, activations stored inverted", lambda: StructuralNcu(PLAIN)),
    Variant("fused", "fused, stored inverted and masked by NORs", lambda: StructuralNcu(FUSED)),
    Variant("gated", "gated, as plain16", lambda: StructuralNcu(GATED)),
)
"""From the default mapping to the NCUs that have prices."""

PRICED = ("plain16", "fused", "gated")
"""Keys of the variants that have prices."""


def measure_variants(
    cells: LibertyCells, trace: Trace, progress: Callable[[str], None] | None = None
) -> dict[str, NcuFigures]:
    """Measure every variant."""

    def measured(variant: Variant) -> NcuFigures:
        figures = measure_ncu(variant.make(), cells, trace, priced=variant.key in PRICED)
        if progress:
            progress(variant.title)
        return figures

    with ThreadPoolExecutor(WORKERS) as pool:
        found = list(pool.map(measured, VARIANTS))
    return {variant.key: figures for variant, figures in zip(VARIANTS, found, strict=True)}
