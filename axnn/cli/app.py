"""The `axnn` command, to which the modules of this package add theirs when they are called.

Its help, its completion and its errors need only the table below: a module, and with it numpy and
the rest of the project, is imported when one of its commands is called.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from typer.core import TyperCommand
from typer.main import get_group

from qcnpe.options import CommandGroup, make_cli


@dataclass(frozen=True)
class Entry:
    """A command that need not be imported yet.

    Attributes
    ----------
    name : of the command
    module : in this package, that adds the command
    help : the first paragraph of the command's docstring
    """

    name: str
    module: str
    help: str


COMMANDS = (
    Entry(
        "fetch",
        "networks",
        "Download an application's data, verify them and keep them in the user's cache.",
    ),
    Entry(
        "train",
        "networks",
        "Train a network in floating point: an application's, or one on your own data.",
    ),
    Entry(
        "import",
        "networks",
        "Import a trained network from an ONNX file and compare it with onnxruntime.",
    ),
    Entry(
        "describe",
        "networks",
        "Print an application in TOML: data, network, plans and engine, for `train --network`.",
    ),
    Entry(
        "characterize",
        "method",
        "Measure how resilient every neuron is: one backward pass over the training set.",
    ),
    Entry(
        "approximate",
        "method",
        "Lower the precision of resilient neurons and retrain, as long as the bound holds.",
    ),
    Entry("evaluate", "method", "Judge the networks on the test set and price them."),
    Entry(
        "explore",
        "exploration",
        "Compare engines and operating points for a network: energy, cycles, area, accuracy.",
    ),
    Entry(
        "report",
        "experiments",
        "Write the interactive page on runs, or one page on all applications.",
    ),
    Entry(
        "experiments",
        "experiments",
        "Run the paper's experiments and their controls; what is finished is not done again.",
    ),
    Entry(
        "collect",
        "experiments",
        "Write the figures of all experiments that have been run; those of other applications"
        " stay.",
    ),
    Entry(
        "speed",
        "experiments",
        "Race approximate networks on this processor against exact ones and other tools.",
    ),
    Entry(
        "export",
        "models",
        "Write a network as a standard ONNX model that computes the same integers.",
    ),
    Entry(
        "verify",
        "models",
        "Run a model of `export` in onnxruntime on the test part; compare every result.",
    ),
    Entry(
        "run",
        "models",
        "Classify the test samples on an FPGA board, at one operating point after another.",
    ),
)
"""All commands, in the order of the help."""


class DeferredCommand(TyperCommand):
    """A command whose module is imported when its arguments are parsed.

    Parameters
    ----------
    entry : what is known of it before
    """

    def __init__(self, entry: Entry) -> None:
        super().__init__(entry.name, help=entry.help)
        self._entry = entry

    def load(self) -> TyperCommand:
        """The command itself."""
        import_module(f"axnn.cli.{self._entry.module}")
        command = get_group(cli).commands[self._entry.name]
        assert isinstance(command, TyperCommand)
        return command

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        """Parse the arguments: the command itself does."""
        return self.load().make_context(*arguments, **options)


class DeferredGroup(CommandGroup):
    """The command `axnn`, which knows its subcommands from `COMMANDS`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        for entry in COMMANDS:
            self.commands.setdefault(entry.name, DeferredCommand(entry))


cli = make_cli(
    "axnn",
    "Approximate neural networks: train, find the resilient neurons, lower their precision.",
    DeferredGroup,
)
