"""A finished run with three bounds, two networks of one width and an exploration, in a second."""

from dataclasses import replace
from pathlib import Path

import pytest

from axnn import data
from axnn.exploration import Space, explore
from axnn.flow.apps import APPS, App
from axnn.flow.run_folder import RunFolder
from axnn.flow.steps import approximate_step, train_step, uniform_step
from axnn.nn.spec import LayerSpec, NetworkSpec
from tests.axnn.approximation.test_loop import PLAN as APPROXIMATION
from tests.axnn.tiny import ENGINE, PLAN, TABLE, make_data

HOSTILE = '</script><img src="https://example.invalid/a.png"> & <b>$x</b>'

APP = App(
    title=HOSTILE,
    data="small",
    network=NetworkSpec(
        name="small",
        input_shape=(1, 3, 4),
        layers=(
            LayerSpec(kind="convolution", channels=3, kernel=(2, 2), function="relu"),
            LayerSpec(kind="dense", channels=3, function="identity"),
        ),
    ),
    training=replace(PLAN, epochs=4),
    approximation=replace(APPROXIMATION, share=1.0, retraining=replace(PLAN, epochs=1)),
    engine=ENGINE,
)

SPACE = Space(rows=(2, 4), cols=(2, 4), precisions=((16, 8, 4, 2),), ncus=("fused", "plain16"))

BOUNDS = (2.5, 7.5)
WIDTHS = (8, 4)


def patch_catalogue(patch: pytest.MonkeyPatch) -> None:
    """Make the application known."""
    patch.setitem(APPS, APP.name, APP)
    patch.setitem(data.LOADERS, "small", lambda seed: make_data(noise=0.4))


def make_run(path: Path, seed: int = 1) -> RunFolder:
    """The run, without its evaluation."""
    run = RunFolder(path)
    train_step(run, APP, seed=seed)
    approximate_step(run, APP.approximation)
    for width in WIDTHS:
        uniform_step(run, APP.approximation, width)
    explore(run, SPACE, TABLE, bounds=BOUNDS)
    return run
