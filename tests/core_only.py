"""Runs commands on a machine with only the core packages: `python -m tests.core_only FOLDER`.

Prints a JSON object: for each command its status and what it said on stderr.
"""

import io
import json
import re
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from importlib.abc import MetaPathFinder
from importlib.metadata import packages_distributions, requires
from pathlib import Path


def modules_of_extras() -> set[str]:
    """Modules that an installation of only the core does not have."""
    requirements = requires("axnn") or ()
    names = [re.split(r"[ \[<>=;]", text)[0].lower() for text in requirements]
    optional = {
        name for name, text in zip(names, requirements, strict=True) if "extra ==" in text
    } - {"amaranth"}  # of the core; an extra asks for more of it
    found = {
        module
        for module, packages in packages_distributions().items()
        if optional & {package.lower() for package in packages}
    }
    return found | {"onnx", "onnxruntime", "torch"}  # which need not be installed here


class Absent(MetaPathFinder):
    """Makes modules appear to be missing."""

    def __init__(self, names: set[str]) -> None:
        self._names = names

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        """Refuse the modules; other modules are found by the next finders."""
        if fullname.partition(".")[0] in self._names:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)


def commands(folder: Path) -> list[list[str]]:
    """All commands, in an order in which the files of each exist."""
    run = ["--run", str(folder / "run"), "--quiet"]
    own = ["--run", str(folder / "own"), "--quiet"]
    everything = ["--folder", str(folder / "all")]
    prices = ["--prices", str(folder / "prices.json")]
    engine = ["--rows", "1", "--cols", "1"]
    network = str(folder / "run" / "axnn.npz")
    samples = ["--inputs", str(folder / "run" / "test_inputs.npz")]
    return [
        ["axnn", "train", "tiny", *run],
        ["axnn", "train", "digits8x8", "--run", str(folder / "digits")],
        ["axnn", "train", "--data", str(folder / "own.csv"), "--label", "y", *own],
        ["axnn", "train", "--side", "8", "--data", str(folder / "pictures"), *own],
        ["axnn", "import", "net.onnx", "--data", str(folder / "own.csv"), "--label", "y", *own],
        ["axnn", "describe", "digits8x8"],
        ["axnn", "characterize", *run],
        ["axnn", "approximate", *run, *prices],
        ["axnn", "evaluate", *run, *prices],
        ["axnn", "explore", *run, *prices, *engine, "--ncu", "fused"],
        ["axnn", "report", *run, *prices],
        ["axnn", "fetch", "digits8x8"],
        [
            "axnn",
            "experiments",
            "tiny",
            "--stage",
            "train",
            "--folder",
            str(folder / "all"),
            *prices,
        ],
        ["axnn", "collect", "tiny", *everything, "--out", str(folder / "out")],
        ["axnn", "speed", "digits", "--run", str(folder / "speed")],
        ["axnn", "run", *run, "--port", "nowhere"],
        ["axnn", "export", *run],
        ["axnn", "verify", *run],
        ["qcnpe", "generate", *engine, "--out", str(folder / "verilog")],
        ["qcnpe", "tool-path"],
        ["qcnpe", "compile", network],
        ["qcnpe", "promote", network, "--out", str(folder / "promoted.npz")],
        ["qcnpe", "simulate", network, *samples],
        ["qcnpe", "export", network, "--out", str(folder / "net.onnx")],
        ["qcnpe", "verify", network, "net.onnx", "--samples", samples[1]],
        ["qcnpe", "synth", *engine, "--ncu", "plain16", "--quick", "--out", str(folder / "synth")],
        ["qcnpe", "bitstream", "icebreaker", "--out", str(folder / "boards")],
        ["qcnpe", "program", "icebreaker", "--out", str(folder / "boards")],
    ]


def _offer_tiny(folder: Path) -> None:
    from axnn import data
    from axnn.approximation.widths import ApproximationPlan
    from axnn.flow.apps import APPS, App
    from tests.axnn.tiny import ENGINE, PLAN, PRICES, make_data, make_spec

    APPS["tiny"] = App(
        title="Tiny",
        data="tiny",
        network=make_spec(),
        training=replace(PLAN, epochs=2),
        approximation=ApproximationPlan(bound_percent=20.0, retraining=replace(PLAN, epochs=1)),
        engine=ENGINE,
    )
    data.LOADERS["tiny"] = lambda seed: make_data()
    rows = [f"{n % 7},{'no' if n % 3 else 'yes'}" for n in range(40)]
    (folder / "own.csv").write_text("\n".join(["x,y", *rows]))
    (folder / "pictures" / "cat").mkdir(parents=True)
    (folder / "pictures" / "cat" / "1.png").touch()
    (folder / "prices.json").write_text(json.dumps({"pj": PRICES}))


def _call(words: list[str]) -> tuple[object, str]:
    from axnn.cli import main as axnn
    from qcnpe.cli import main as qcnpe

    said = io.StringIO()
    sys.argv = words
    status: object = "no exit"
    with redirect_stderr(said), redirect_stdout(io.StringIO()):
        try:
            {"axnn": axnn, "qcnpe": qcnpe}[words[0]]()
        except SystemExit as end:
            status = end.code
        except Exception as error:
            status = repr(error)
    return status, said.getvalue()


def main() -> None:
    """Run all commands."""
    folder = Path(sys.argv[1])
    sys.meta_path.insert(0, Absent(modules_of_extras()))
    _offer_tiny(folder)
    print(json.dumps({" ".join(words[:3]): _call(words) for words in commands(folder)}))


if __name__ == "__main__":
    main()
