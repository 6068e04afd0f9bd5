"""Where on a map the resilient neurons are: ring means, and accuracy with edges lowered first."""

from collections.abc import Callable

from axnn.experiments.documents import Edges
from axnn.experiments.folder import AppFolder
from axnn.experiments.rings import edge_experiment, ring_means
from axnn.flow.steps import characterize_step

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
WIDTHS = (4, 2)
"""Widths that positions are lowered to, one experiment for each."""

RING_CRITERIA = ("gradient", "quantisation")


def find_edges(
    folder: AppFolder, *, judged: int, progress: Callable[[int], None] | None = None
) -> Edges:
    """Measure rings and edges of the trained network.

    Parameters
    ----------
    folder : of the application
    judged : so many validation samples, at most, are drawn to judge the edges
    progress : called with the number of measurements finished so far
    """
    trained = folder.trained.trained()
    scores = characterize_step(folder.trained)
    maps = [layer for layer in trained.network.neuron_layers if layer.geometry.outputs > 1]
    if not maps:
        return Edges(rings={}, shares=SHARES, accuracy={})
    rings = {
        criterion: {
            layer.name: ring_means(entry, layer.geometry).tolist()
            for layer, entry in zip(trained.network.neuron_layers, scores[criterion], strict=True)
            if layer in maps
        }
        for criterion in RING_CRITERIA
    }
    samples = folder.trained.samples()
    accuracy = {
        str(width): edge_experiment(
            trained.network,
            samples.train,
            samples.validation.draw(judged, seed=folder.seed),
            trained.app.engine,
            width=width,
            shares=SHARES,
            seed=folder.seed,
            progress=progress,
        )
        for width in WIDTHS
    }
    return Edges(rings=rings, shares=SHARES, accuracy=accuracy)
