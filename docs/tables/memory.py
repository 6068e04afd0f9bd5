"""Tables of autonomous engines: `results/memory.json`."""

from docs.tables.cells import Figures, markdown, read_figures

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
    head = ["network", "width", "batch", "cycles", "of the array alone", "utilisation"]
    words = ["words", "least", "ratio", *_CHECKS]
    return markdown([*head, *words], rows)


def _cells(figures: Figures, prefix: str) -> list[str]:
    if f"{prefix}.cycles" not in figures:
        return ["not run", *[""] * 9]
    of = {key.removeprefix(f"{prefix}."): value for key, value in figures.items()}
    return [
        f"{of['batch']}, {of['pictures']}",
        f"{of['cycles']:,.0f}",
        f"{of['stream_cycles']:,.0f}",
        f"{of['utilisation']:.0%}",
        f"{of['external_words']:,.0f}",
        f"{of['compulsory_words']:,.0f}",
        f"{of['external_words'] / of['compulsory_words']:.2f}",
        *_checks(of, ""),
    ]


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
