"""Networks from data or an ONNX file to an engine and back, in a few lines of Python.

The commands do the same over a folder, step by step, and can be interrupted.
"""

from collections.abc import Callable
from dataclasses import replace

from axnn.approximation.loop import Approximation
from axnn.approximation.loop import approximate as _approximate
from axnn.approximation.widths import Trial
from axnn.data import DataSet
from axnn.flow.defaults import default_approximation, default_engine, default_training
from axnn.flow.steps import event_counter
from axnn.frontend import Comparison, ImportedNetwork, compare, import_onnx
from axnn.nn.network import Network
from axnn.nn.spec import LayerSpec, NetworkSpec, SourceSpec
from axnn.nn.train import train as _train
from qcnpe.interchange import Verification, export_onnx, verify
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.qnet import QuantNet

__all__ = [
    "Approximation",
    "Comparison",
    "DataSet",
    "EngineConfig",
    "ImportedNetwork",
    "LayerSpec",
    "Network",
    "NetworkSpec",
    "QuantNet",
    "SourceSpec",
    "Verification",
    "approximate",
    "compare",
    "export_onnx",
    "import_onnx",
    "train",
    "verify",
]


def train(spec: NetworkSpec, data: DataSet, *, seed: int = 1) -> Network:
    """A network of this description, trained on the data with default hyper-parameters.

    Parameters
    ----------
    spec : the description
    data : its training part is fitted, its validation part says when to stop
    seed : of the initial weights and of the order of the samples

    Raises
    ------
    TrainingError
        If the data do not fit the network, or the loss is no longer a number.
    """
    network = Network(spec, seed=seed)
    _train(network, data, default_training(data), seed=seed)
    return network.folded()


def approximate(
    network: Network,
    data: DataSet,
    *,
    bound_percent: float = 0.5,
    epochs: int | None = None,
    engine: EngineConfig | None = None,
    seed: int = 1,
    on_trial: Callable[[Trial], None] | None = None,
) -> Approximation:
    """Lower the precision of resilient neurons and retrain, as long as the bound holds.

    Parameters
    ----------
    network : the trained network; it stays as it is
    data : its training part is fitted, its validation part decides; its test part is not read
    bound_percent : percentage points of quality on the validation part that may be lost
    epochs : of each retraining; by default as many as suit the number of samples
    engine : what the network is for; by default `axnn.flow.defaults.default_engine`
    seed : of the retraining
    on_trial : called after each trial of the loop

    Returns
    -------
    The exact and the approximate network in integers, and all trials.
    """
    plan = replace(default_approximation(data), bound_percent=bound_percent)
    if epochs is not None:
        plan = replace(plan, retraining=replace(plan.retraining, epochs=epochs))
    return _approximate(
        network.copy(),
        data,
        plan,
        event_counter(engine or default_engine(data), data),
        seed=seed,
        on_trial=on_trial,
    )
