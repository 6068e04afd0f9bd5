"""Table of approximate networks on an ordinary processor: `results/cpu.json`."""

from docs.tables.applications import APPLICATIONS
from docs.tables.cells import markdown, read_figures, times


def cpu() -> str:
    """Approximate networks on an ordinary processor."""
    cpu = read_figures("cpu")
    titles = {**APPLICATIONS, "mlp": "784-128-10 on MNIST"}
    rows = []
    for name, title in titles.items():
        bound, uniform = f"{name}.bound_2.5", f"{name}.uniform"
        rows.append(
            [
                f"{title}, batch {cpu[f'{name}.batch']:.0f}",
                *(
                    _microseconds(cpu[f"{name}.us.{tool}"])
                    for tool in ("exact", "AxNN 0.5 %", "ONNX Runtime", "ONNX Runtime int8")
                ),
                f"{times(cpu, f'{name}.speedup_vs_exact')}, {cpu[f'{name}.loss']:.2f}",
                f"{times(cpu, f'{bound}.speedup_vs_exact')}, {cpu[f'{bound}.loss']:.2f}",
                f"{times(cpu, f'{uniform}.speedup_vs_exact')}, {cpu[f'{uniform}.loss']:.2f}",
                times(cpu, f"{name}.speedup_vs_onnxruntime"),
            ]
        )
    mean = [
        f"{times(cpu, 'mean.speedup_vs_exact')}, {cpu['mean.loss']:.2f}",
        "",
        f"{times(cpu, 'mean.uniform.speedup_vs_exact')}, {cpu['mean.uniform.loss']:.2f}",
        times(cpu, "mean.speedup_vs_onnxruntime"),
    ]
    rows.append(["mean of the six applications", "", "", "", "", *mean])
    head = ["network (tanh)", "exact, us", "AxNN 0.5, us", "ONNX Runtime, us", "its int8, us"]
    head += ["AxNN 0.5: gain, loss", "AxNN 2.5: gain, loss", "uniform: gain, loss"]
    return markdown([*head, "AxNN 0.5 over ONNX Runtime"], rows)


def _microseconds(value: float) -> str:
    return f"{value:.1f}" if value >= 100 else f"{value:.2f}"
