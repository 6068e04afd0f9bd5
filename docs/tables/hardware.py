"""Tables of the engine: `results/engine.json`, `results/energy.json` and `results/fpga.json`."""

from docs.tables.cells import markdown, read_figures


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
    """Size and clock of each board's bitstream."""
    fpga = read_figures("fpga")
    names = {
        "ulx3s_85f": ("ULX3S, ECP5-85F", "16/8/4/2 bits"),
        "ecpix5_45f": ("ECPIX-5, ECP5-45F", "16/8/4/2 bits"),
        "icebreaker": ("iCEBreaker, iCE40UP5K", "16 bits"),
    }
    rows = [
        [
            title,
            f"`{name}`",
            f"{fpga[f'{name}.rows']:.0f} x {fpga[f'{name}.cols']:.0f} NCUs, {widths}",
            f"{fpga[f'{name}.luts']:,.0f}",
            f"{fpga[f'{name}.multipliers']:.0f}",
            f"{fpga[f'{name}.block_rams']:.0f}",
            f"{fpga[f'{name}.clock_mhz']:.0f} MHz",
            f"{fpga[f'{name}.fmax_mhz']:.1f} MHz",
        ]
        for name, (title, widths) in names.items()
    ]
    head = ["board", "`BOARD=`", "engine", "LUTs", "multipliers", "block RAMs", "clock", "reached"]
    return markdown(head, rows)


def board_kinds() -> str:
    """The two kinds of neural compute unit for FPGAs, on each chip."""
    fpga = read_figures("fpga")
    chips = {
        "ulx3s_85f": "ECP5-85F, 16/8/4/2 bits",
        "ecpix5_45f": "ECP5UM5G-45F, 16/8/4/2 bits",
        "icebreaker": "iCE40UP5K, 16 bits",
    }
    rows = []
    for board, chip in chips.items():
        for kind in ("fused", "dsp"):
            ncu, whole = f"{board}.ncu.{kind}", f"{board}.2x2.{kind}"
            fits = bool(fpga[f"{whole}.fits"])
            rows.append(
                [
                    chip,
                    f"`{kind}`",
                    f"{fpga[f'{ncu}.luts']:,.0f}, {fpga[f'{ncu}.multipliers']:.0f}",
                    f"{fpga[f'{whole}.luts']:,.0f}, {fpga[f'{whole}.multipliers']:.0f}"
                    if fits
                    else "does not fit",
                    f"{fpga[f'{whole}.fmax_mhz']:.1f} MHz" if fits else "",
                ]
            )
    head = ["chip, widths", "kind", "one NCU: LUTs, multipliers", "board: LUTs, multipliers"]
    return markdown([*head, "reached"], rows)
