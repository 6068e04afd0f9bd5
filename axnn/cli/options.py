"""Options that several commands of `axnn` share."""

from pathlib import Path
from typing import Annotated

import typer

from axnn.experiments.collect import ALL_APPS

RunOption = Annotated[Path, typer.Option("--run", help="Folder of the run's files.")]
PricesOption = Annotated[
    Path | None,
    typer.Option("--prices", help="Energy prices of events (JSON); default: the committed ones."),
]
DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="Your own data: a table (.csv, .tsv), arrays (.npz: inputs, labels) or a folder "
        "with a folder of pictures for each class.",
    ),
]
LabelOption = Annotated[str | None, typer.Option(help="Table: column of the labels.")]
TargetOption = Annotated[
    str | None,
    typer.Option(help="Table: instead of labels, column of a quantity, for a regression."),
]
GroupOption = Annotated[
    str | None,
    typer.Option(help="Table: column of what must not be in two parts, such as persons."),
]
SplitOption = Annotated[
    str | None,
    typer.Option(help="Table: column that says train, validation or test; else --seed does."),
]
DropOption = Annotated[
    list[str] | None, typer.Option(help="Table: column to leave out; may be repeated.")
]
CategoryOption = Annotated[
    list[str] | None,
    typer.Option(help="Table: column whose numbers are names; may be repeated."),
]
MissingOption = Annotated[
    str, typer.Option(help="Table: what missing numbers become: median, or refuse.")
]
SideOption = Annotated[
    int | None,
    typer.Option(
        help="Pictures: height and width to resize them to.",
        show_default="their own if all have the same of at most 64 pixels, else 32",
    ),
]
ClassWeightsOption = Annotated[
    bool,
    typer.Option(
        "--class-weights", help="Let every class count the same in training and in the bound."
    ),
]
AppsArgument = Annotated[
    list[str], typer.Argument(help=f"Applications, or all: {', '.join(ALL_APPS)}.")
]
FolderOption = Annotated[Path, typer.Option(help="Folder of all applications.")]
PointOption = Annotated[str, typer.Option(help="Network of the run: axnn or exact16.")]
ModelOption = Annotated[
    Path | None,
    typer.Option("--onnx", help="The model (.onnx).", show_default="in the run's folder"),
]
