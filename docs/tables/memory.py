"""Tables of autonomous engines: `results/memory.json`, `results/memory_networks.json`."""

from docs.tables.cells import Figures, error_cells, markdown, read_figures, read_prices

_NETWORKS = {
    "lenet": "LeNet-5",
    "objects": "objects (CIFAR-10)",
    "resnet8": "ResNet-8",
    "ds_cnn": "DS-CNN",
    "mobilenet": "MobileNetV1-0.25",
}

_WIDTHS = (16, 4)
_ARRAYS = (4, 8, 16)
_CHECKS = ("pictures", "results that differ", "count of cycles")


def memory_networks() -> str:
    """Whole networks at two widths: cycles, utilisation and external words of a picture."""
    figures = read_figures("memory")
    rows = [
        [title, f"{width} bit", *_cells(figures, f"{name}.{width}b")]
        for name, title in _NETWORKS.items()
        for width in _WIDTHS
    ]
    head = ["network", "width", "batch", "cycles", "of the array alone", "utilisation", "at most"]
    words = ["words", "least", "ratio", *_CHECKS]
    return markdown([*head, *words], rows)


def _cells(figures: Figures, prefix: str) -> list[str]:
    if f"{prefix}.cycles" not in figures:
        return ["not run", *[""] * 10]
    of = {key.removeprefix(f"{prefix}."): value for key, value in figures.items()}
    return [
        f"{of['batch']}, {of['pictures']}",
        f"{of['cycles']:,.0f}",
        f"{of['stream_cycles']:,.0f}",
        f"{of['utilisation']:.0%}",
        f"{of['roofline_utilisation']:.0%}",
        f"{of['external_words']:,.0f}",
        f"{of['compulsory_words']:,.0f}",
        f"{of['external_words'] / of['compulsory_words']:.2f}",
        *_checks(of, ""),
    ]


def random_networks() -> str:
    """Random networks on the model of autonomous engines, compared with the driver."""
    figures = read_figures("memory_networks")
    columns = {
        "networks": "networks",
        "refused": "refused",
        "differences": "that differ",
        "with_strips": "with maps in strips",
        "with_weights_in_turns": "with weights in turns",
    }
    return markdown([*columns.values()], [[f"{figures[name]:,.0f}" for name in columns]])


def memory_words() -> str:
    """External words of a picture by what they are for, against the least."""
    figures = read_figures("memory")
    rows = []
    for name, title in _NETWORKS.items():
        for width in _WIDTHS:
            of = {
                kind: figures.get(f"{name}.{width}b.words_of_{kind}")
                for kind in ("weights", "parameters", "tables", "descriptors", "input")
            }
            if None not in of.values():
                rows.append([title, f"{width} bit", *(f"{words:,.0f}" for words in of.values())])
    return markdown(
        ["network", "width", "weights", "parameters", "tables", "descriptors", "input"], rows
    )


def memory_arrays() -> str:
    """LeNet at 16 bit, a picture at a time, on arrays of several sizes."""
    figures = read_figures("memory")
    rows = [
        [f"{size} x {size}", f"{figures[f'{prefix}.cycles']:,}", *_checks(figures, f"{prefix}.")]
        for size in _ARRAYS
        if f"{(prefix := f'lenet.{size}x{size}')}.cycles" in figures
    ]
    return markdown(["NCUs", "cycles", *_CHECKS], rows)


def _checks(figures: Figures, prefix: str) -> list[str]:
    """Pictures, results that differ, and by how much the count of cycles is off."""
    cycles, counted = (figures[f"{prefix}{name}run_cycles"] for name in ("", "counted_"))
    return [
        f"{figures[f'{prefix}pictures_checked']:,}",
        f"{figures[f'{prefix}mismatches']:,}",
        f"{100 * (counted - cycles) / cycles:.2f} %" if counted != cycles else "exact",
    ]


_EVENTS = {
    "fetch_cycle": "clock and leakage of walker, fetch and rotator",
    "fetch_pass": "a cycle in which the activation banks are read for tiles",
    "fetch_beat": "a beat of operands that leaves",
    "fetch_lane": "a lane of a beat that takes a word",
    "fetch_activation_toggle": "a bit of an activation that changes from beat to beat",
    "fetch_weight_toggle": "the same of a weight",
    "fetch_step": "an entry of taps, with its entry of lanes",
    "fetch_tile": "a tile",
    "write_back_cycle": "clock and leakage of write-back and its walker",
    "write_back_pass": "a cycle in which results are written to the banks",
    "write_back_word": "a word that is written",
    "write_back_entry": "an entry of writes, with its entry of lanes",
    "write_back_column": "a column of results",
    "write_back_tile": "a tile",
    "processor_cycle": "clock and leakage of the processor, of commands and parameters",
    "processor_descriptor": "a descriptor",
    "processor_tile": "a tile",
    "processor_parameter": "a word of parameters",
    "transfer_cycle": "clock and leakage of loads, stores and fills",
    "transfer_load": "a load",
    "transfer_read": "a bus word that is loaded",
    "transfer_store": "a store",
    "transfer_write": "a bus word that is stored",
    "transfer_fill": "a row of all banks that is set to zero",
    "banks_cycle": "clock and leakage of what selects who uses the memories",
    "banks_read": "a word that a bank reads",
    "banks_activation_toggle": "a bit of an activation that changes: wires from the banks",
    "banks_weight_toggle": "the same of a weight: wires from their memory to the engine",
    "banks_write": "a word that a bank writes",
    "axi_cycle": "clock and leakage of the AXI4 manager",
    "axi_read": "a bus word that is read",
    "axi_write": "a bus word that is written",
    "axi_burst": "a burst",
    "axi_toggle": "a bit of a bus word that changes, with the wires to all memories",
    "control_cycle": "clock and leakage of registers, counters, interrupt",
}
"""What happens at each event of the memory side."""


def memory_prices() -> str:
    """Every event of the memory side with its price in fJ, by size of the array."""
    files = {
        "16 x 16": "memory_side_45nm",
        "8 x 8": "memory_side_8x8_45nm",
        "4 x 4": "memory_side_4x4_45nm",
    }
    prices = [read_prices(name) for name in files.values()]
    rows = [
        [f"`{event}`", meaning, *(f"{1000 * each[event]:,.0f}" for each in prices)]
        for event, meaning in _EVENTS.items()
    ]
    return markdown(["event", "what happens", *(f"{size}, fJ" for size in files)], rows)


def memory_check() -> str:
    """Errors of counts times prices on the memory side, by size, width and unit."""
    energy = read_figures("energy")
    units = ("fetch", "write_back", "processor", "transfer", "banks", "axi", "control")
    arrays = {"16 x 16": "", "8 x 8": "_8x8", "4 x 4": "_4x4"}
    arrays |= {f"{rows} x {cols}": f"_{rows}x{cols}" for rows, cols in ((16, 4), (4, 16), (8, 4))}
    rows = [
        [f"{size}, {name}", *cells]
        for size, array in arrays.items()
        for name, *cells in error_cells(energy, f"memory_check_error{array}", units)
    ]
    return markdown(["error", "memory side", *(unit.replace("_", "-") for unit in units)], rows)


def system_energy() -> str:
    """Energy of LeNet's pictures, streamed and autonomous, in nJ."""
    energy = read_figures("energy")
    parts = {
        "engine": "engine",
        "memory_side": "memory side",
        "on_chip_memories": "on-chip memories",
        "external_memory": "external memory",
        "total": "system",
    }
    rows = []
    for width in _WIDTHS:
        of = f"system.lenet.{width}b"
        for way in ("streamed", "autonomous"):
            found = (energy[f"{of}.{way}.{part}_pj"] / 1000 for part in parts)
            ratio = f"{energy[f'{of}.ratio']:.1f} x" if way == "autonomous" else ""
            rows.append([f"{way}, {width} bit", *(f"{nj:,.1f}" for nj in found), ratio])
    return markdown(["nJ a picture", *parts.values(), "less"], rows)


def memory_side_energy() -> str:
    """Energy of LeNet's pictures by unit of the memory side, in nJ."""
    energy = read_figures("energy")
    units = ("fetch", "write_back", "processor", "transfer", "banks", "axi", "control")
    rows = [
        [
            f"{width} bit",
            *(f"{energy[f'system.lenet.{width}b.autonomous.{u}_pj'] / 1000:,.2f}" for u in units),
        ]
        for width in _WIDTHS
    ]
    return markdown(["nJ a picture", *(unit.replace("_", "-") for unit in units)], rows)
