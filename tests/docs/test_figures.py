"""Figures in the sentences of the pages are those of the result files; tables: `make tables`."""

from pathlib import Path

import pytest

from axnn.experiments.collect import PAPER_APPS
from docs.tables.cells import read_figures, read_prices

DOCS = Path(__file__).parents[2] / "docs"


def board_line() -> str:
    fpga = read_figures("fpga")
    rates, shares = (
        [fpga[f"uart.digits8x8.{width}b.{name}"] for width in (16, 4)]
        for name in ("samples_per_s_at_3_mbaud", "engine_share")
    )
    return (
        f"{rates[0]:,.0f} samples a second at 16 bits and {rates[1]:,.0f} at 4 bits; the engine"
        f" works in {shares[0]:.1%} and {shares[1]:.1%} of that time"
    ).replace("%", " %")


def memory_side() -> str:
    side = read_figures("memory_side")
    return (
        f"takes {side['um2'] / 1e6:.3f} mm2 of our own 45 nm cells and {side['flipflops']:,}"
        f" flip-flops, without its memories of {side['bits'] / 1e6:.2f} Mbit"
    )


def resnet8_in_memories() -> str:
    memory = read_figures("memory")
    cycles, words = (memory[f"resnet8.16b.{name}"] for name in ("cycles", "further_words"))
    return f"it takes {cycles:,.0f} cycles and {words:,.0f} words a picture"


def largest_loss_of_16_bits() -> str:
    apps = read_figures("apps")
    losses = [abs(apps[f"{a}.float_accuracy"] - apps[f"{a}.exact16_accuracy"]) for a in PAPER_APPS]
    return f"they differ by at most {max(losses):.2f} percentage points"


def area_of_fused() -> str:
    percent = read_figures("energy")["fused_over_plain16_area_percent"]
    return f"The area of `fused` is {percent:.1f} % above that of `plain16`"


def narrow_networks() -> str:
    energy = read_figures("energy")
    ratios = [energy[f"all2.{app}.energy_ratio"] for app in ("digits", "objects")]
    return f"| {ratios[0]:.2f} / {ratios[1]:.2f} | `python -m axnn.experiments.narrow_energy` |"


def on_chip_memories() -> str:
    pj = read_prices()
    reads, writes = (pj[f"activation_memory_{way}"] for way in ("read", "write"))
    return f"| activations | {reads:.2f} | {writes:.2f} |"


@pytest.mark.parametrize(
    ("page", "sentence"),
    [
        ("boards.md", board_line),
        ("measurements.md", memory_side),
        ("explanation/autonomous.md", resnet8_in_memories),
        ("faq.md", largest_loss_of_16_bits),
        ("energy.md", area_of_fused),
        ("energy.md", narrow_networks),
        ("energy.md", on_chip_memories),
    ],
)
def test_a_sentence_has_the_figures_of_the_results(page, sentence):
    text = " ".join((DOCS / page).read_text(encoding="utf-8").split())
    assert sentence() in text
