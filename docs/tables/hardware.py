"""Tables of the engine: `results/engine.json`, `results/energy.json` and `results/fpga.json`."""

from itertools import product

from docs.tables.cells import error_cells, markdown, read_figures, read_prices
from qcnpe.boards.catalog import BOARDS, Board

_WIDTHS = (16, 8, 4, 2)

_EVENTS = {
    "ncu_beat": "a cycle in which an NCU works, whatever its operands",
    "ncu_lane": "more if its activations are not all zeros",
    "ncu_zero_flip": "more if that has changed since the cycle before",
    "ncu_product_toggle": "more for each bit product that has changed",
    "ncu_tile": "a finished sum: the first beat forgets the last one, the row reads it",
    "ncu_idle_cycle": "a cycle in which an NCU does not work",
    "ncu_edge_beat": "an operand that an NCU next to the tile takes and does not need",
    "ncu_result": "a sum that an NCU drives on the wires of its row's ORs",
    "row_cycle": "clock and leakage of a row without its NCUs",
    "row_activation_toggle": "a bit of an activation that changes where it enters its row",
    "row_weight_toggle": "a bit of a weight that changes where it enters its column",
    "row_sum_toggle": "a bit that changes from one sum of a row to the next: through the row's ORs,"
    " carries added, shifted to its place",
    "row_tile": "more for each row of a tile: the row's ORs leave zero and return to it",
    "skew_cycle": "clock and leakage of the skew, for each row and column",
    "skew_lane": "more with a beat, for each row and column, used or not",
    "skew_activation_toggle": "a bit of an activation that changes when the skew moves",
    "skew_weight_toggle": "a bit of a weight that changes when the skew moves",
    "queue_cycle": "clock and leakage of all queues, for each row and column",
    "queue_lane": "a lane of a beat through its queue, used or not",
    "queue_activation_toggle": "a bit of an activation that changes on its way through the queue",
    "queue_weight_toggle": "the same of a weight",
    "queue_parameter": "a word of parameters through its queue",
    "queue_command": "a command through its queue",
    "sequencer_cycle": "a cycle of the sequencer",
    "sequencer_beat": "more with a beat",
    "sequencer_activation_toggle": "a bit of an activation that changes in the sequencer",
    "sequencer_weight_toggle": "the same of a weight",
    "sequencer_tile": "a tile in the sequencer",
    "sequencer_column": "the parameters of a neuron on their way to the first row",
    "afu_cycle": "clock and leakage of an AFU",
    "afu_sum_toggle": "a bit that changes from one sum of a row to the next, in its AFU",
    "afu_identity": "more for a sum to a 16-bit result",
    "afu_relu": "the same with a ReLU",
    "afu_table": "the same with the table",
    "afu_maximum": "a sum that is only compared, within a pooling window",
    "afu_tile": "what an AFU keeps of a tile",
    "afu_knot": "a word of the table into its registers",
    "result_cycle": "clock and leakage of a row's copies and result queue, with its share of the"
    " collector",
    "result_made": "a result, whatever is wanted of it",
    "result": "more for a result or a copy of a width: made, queued and collected",
    "result_table": "more for a result of the table",
    "result_column": "a column of results in the collector",
    "result_tile": "a tile in the collector",
    "activation_memory_read": "16 bits of the activation memory; not part of the engine",
    "activation_memory_write": "the same, written",
    "weight_memory_read": "16 bits of the weight memory; not part of the engine",
    "parameter_memory_read": "16 bits of the parameter memory; not part of the engine",
    "memory_leakage_cycle": "leakage of all on-chip memories in a cycle",
    "external_word": "16 bits of external memory",
}
"""What happens at each event; names without the width, where prices depend on it."""


def event_prices() -> str:
    """Every event with its price in fJ."""
    prices = read_prices()
    rows = []
    for event, meaning in _EVENTS.items():
        wide = [f"{event}_{width}b" for width in _WIDTHS]
        names = [event] if event in prices else wide
        shown = " / ".join(_femtojoules(prices[name]) for name in names if name in prices)
        rows.append([f"`{event}{'' if event in prices else '_*b'}`", meaning, shown])
    return markdown(["event", "what happens", "fJ, or fJ at 16 / 8 / 4 / 2 bit"], rows)


def _femtojoules(price_pj: float) -> str:
    return f"{1000 * price_pj:,.1f}" if price_pj < 0.1 else f"{1000 * price_pj:,.0f}"


def engine_check() -> str:
    """Errors of counts times prices on a whole engine, by width and unit."""
    energy = read_figures("energy")
    units = ("ncu", "row", "skew", "queue", "sequencer", "afu", "result")
    names = ("NCUs", "rows", "skew", "queues", "sequencer", "AFUs", "results")
    rows = error_cells(energy, "engine_check_error", units)
    return markdown(["error", "engine", *names], rows)


def ncu_energy() -> str:
    """Energy, area and path of each kind of NCU in our 45 nm cells."""
    energy = read_figures("energy")

    def pj(kind: str, width: int) -> str:
        both = (f"{kind}_{width}b_pj_per_mac", f"{kind}_{width}b_dense_pj_per_mac")
        return " / ".join(f"{energy[key]:.3f}" for key in both)

    rows = [
        [f"`{kind}`", *(pj(kind, width) for width in (16, 8, 4, 2))] for kind in ("fused", "gated")
    ]
    exact = (energy["plain16_pj_per_mac"], energy["plain16_dense_pj_per_mac"])
    rows.append(["`plain16`", " / ".join(f"{value:.3f}" for value in exact), "", "", ""])
    for row, kind in zip(rows, ("fused", "gated", "plain16"), strict=True):
        row += [f"{energy[f'{kind}_area_um2']:,.0f}", f"{energy[f'{kind}_path_ns']:.2f}"]
    widths = (f"{width} bit" for width in (16, 8, 4, 2))
    return markdown(["NCU", *widths, "area, um2", "path, ns"], rows)


def wire_band() -> str:
    """Energy of NCUs with other wires: capacitances, and other placements."""
    energy = read_figures("energy")
    titles = {
        "0.13": "0.13 fF/um: no neighbours",
        "0.16": "0.16 fF/um: half of them",
        "0.20": "0.20 fF/um: neighbours on both sides",
        "placement_2": "the same, a second placement",
        "placement_3": "the same, a third placement",
    }
    rows = []
    for name, title in titles.items():
        found = {key: energy[f"band_{name}_{key}"] for key in ("overhead_percent", "path_ns")}
        fused = " / ".join(f"{energy[f'band_{name}_fused_{w}b_pj_per_mac']:.3f}" for w in _WIDTHS)
        exact = f"{energy[f'band_{name}_plain16_pj_per_mac']:.3f}"
        overhead = f"{found['overhead_percent']:.1f} %"
        rows.append([title, fused, exact, overhead, f"{found['path_ns']:.2f}"])
    header = ["wires", "`fused` 16 / 8 / 4 / 2 bit", "`plain16`", "overhead", "path, ns"]
    return markdown(header, rows)


def engine() -> str:
    """Cycles of three matrix products and speed of the simulation."""
    engine = read_figures("engine")
    rows = [
        ["784 x 6 x 25 at 16 bit, cycles", f"{engine['cycles_784x6x25_16b']:,}"],
        ["100 x 16 x 150 at 16 bit, cycles", f"{engine['cycles_100x16x150_16b']:,}"],
        *(
            [f"1024 x 256 x 512 at {width} bit, cycles", f"{engine[key]:,}"]
            for width in (16, 8, 4, 2)
            for key in [f"cycles_1024x256x512_{width}b"]
        ),
        ["Verilator through the driver, cycles/s", f"{engine['verilator_cycles_per_s']:,}"],
        ["16 x 16 engine as Verilog, seconds", f"{engine['verilog_16x16_seconds']:.1f}"],
        ["random results checked on the Verilog", f"{engine['random_macs_checked']:,}"],
        ["malformed commands sent", f"{engine['fuzz_commands']:,}"],
        ["results that differ", f"{engine['long_mismatches']:,}"],
    ]
    return markdown(["16 x 16 NCUs, `fused`", "measured"], rows)


def boards() -> str:
    """Size and clock of each board's bitstream; boards without a finished one are left out."""
    fpga = read_figures("fpga")
    rows = [
        [
            board.title,
            f"`{name}`",
            f"{fpga[f'{name}.rows']:.0f} x {fpga[f'{name}.cols']:.0f} NCUs, {_widths(board)}",
            f"{fpga[f'{name}.luts']:,.0f}",
            f"{fpga[f'{name}.multipliers']:.0f}",
            f"{fpga[f'{name}.block_rams']:.0f}",
            f"{fpga[f'{name}.clock_mhz']:.0f} MHz",
            f"{fpga[f'{name}.fmax_mhz']:.1f} MHz",
        ]
        for name, board in BOARDS.items()
        if f"{name}.luts" in fpga
    ]
    head = ["board", "`BOARD=`", "engine", "LUTs", "multipliers", "block RAMs", "clock", "reached"]
    return markdown(head, rows)


def _widths(board: Board) -> str:
    return "/".join(map(str, board.link.engine.precisions)) + " bits"


def board_pictures() -> str:
    """LeNet on boards with autonomous engines: octets, cycles, pictures a second."""
    fpga = read_figures("fpga")
    rows = []
    for board in (name for name, each in BOARDS.items() if each.link.memory):
        for width in (16, 4):
            found = f"{board}.lenet.{width}b"
            rows.append(
                [
                    f"`{board}`",
                    f"{width} bits",
                    f"{fpga[f'{found}.octets_to_board']:,.0f}",
                    f"{fpga[f'{found}.octets_to_host']:,.0f}",
                    f"{fpga[f'{found}.cycles']:,.0f}",
                    f"{fpga[f'{found}.loading_seconds']:.2f} s",
                    f"{fpga[f'{found}.images_per_s']:,.0f}",
                ]
            )
    head = [
        "`BOARD=`",
        "widths",
        "octets to the board",
        "to the host",
        "cycles",
        "image",
        "a second",
    ]
    return markdown(head, rows)


def board_kinds() -> str:
    """The two kinds of neural compute unit for FPGAs, on each chip."""
    fpga = read_figures("fpga")
    boards = [(name, each) for name, each in BOARDS.items() if each.link.memory is None]
    rows = []
    for (name, board), kind in product(boards, ("fused", "dsp")):
        ncu, whole = f"{name}.ncu.{kind}", f"{name}.2x2.{kind}"
        size, reached = "does not fit", ""
        if fpga[f"{whole}.fits"]:
            size = f"{fpga[f'{whole}.luts']:,.0f}, {fpga[f'{whole}.multipliers']:.0f}"
            reached = f"{fpga[f'{whole}.fmax_mhz']:.1f} MHz"
        alone = f"{fpga[f'{ncu}.luts']:,.0f}, {fpga[f'{ncu}.multipliers']:.0f}"
        chip = f"{board.title}, {_widths(board)}"
        rows.append([chip, f"`{kind}`", alone, size, reached])
    head = ["board, widths", "kind", "one NCU: LUTs, multipliers", "whole: LUTs, multipliers"]
    return markdown([*head, "reached"], rows)
