"""What the documents of the stages hold; each is read by its schema."""

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from axnn.approximation.resilience import CRITERIA
from axnn.nn.train import Epoch
from qcnpe.spec.documents import Fraction, Natural, Positive
from qcnpe.spec.errors import FormatError

Document = TypeVar("Document")

ORDERS = ("edges", "centre", "random")
"""Orders in which positions of maps are lowered."""


@dataclass(frozen=True, kw_only=True)
class Ordering:
    """The comparison of criteria.

    Attributes
    ----------
    width : that neurons are lowered to, in bits
    curves : by criterion, one or several of (relative energy, fraction right)
    """

    width: Natural
    curves: dict[str, list[list[tuple[float, Fraction]]]]

    def __post_init__(self) -> None:
        if not self.curves or not set(self.curves) <= set(CRITERIA):
            raise FormatError(f"criteria must be of {', '.join(CRITERIA)}")
        if not all(entry and all(entry) for entry in self.curves.values()):
            raise FormatError("a curve without points")


@dataclass(frozen=True, kw_only=True)
class Edges:
    """What the edge experiment found; empty for a network without maps.

    Attributes
    ----------
    rings : by criterion and layer, the mean score of each ring, the edge first
    shares : of each map's positions that were lowered
    accuracy : by width and order, the fraction right on validation at each share
    """

    rings: dict[str, dict[str, list[float]]]
    shares: tuple[Fraction, ...]
    accuracy: dict[str, dict[str, list[Fraction]]]

    def __post_init__(self) -> None:
        if not all(means for layers in self.rings.values() for means in layers.values()):
            raise FormatError("a layer without rings")
        if self.rings and "gradient" not in self.rings:
            raise FormatError("no rings of the criterion gradient")
        for orders in self.accuracy.values():
            if not set(orders) <= set(ORDERS):
                raise FormatError(f"orders must be of {', '.join(ORDERS)}")
            if any(len(values) != len(self.shares) for values in orders.values()):
                raise FormatError("an accuracy for each share is wanted")


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """What came of the run on the simulated engine.

    Attributes
    ----------
    images_checked : test images, drawn at random, the same ones for the network of each bound
    mismatches : outputs that differ from the model, over all bounds
    miscounts : cycles that the compiler counted more or fewer than the engine took, over all bounds
    """

    images_checked: Natural
    mismatches: Natural
    miscounts: Natural


@dataclass(frozen=True, kw_only=True)
class Overfitting:
    """What one way of training gave.

    Attributes
    ----------
    epochs : of the training in floating point
    float_accuracy, axnn_accuracy : on the test part
    energy_ratio : of the AxNN under the tightest bound
    """

    epochs: tuple[Epoch, ...]
    float_accuracy: Fraction
    axnn_accuracy: Fraction
    energy_ratio: float

    def __post_init__(self) -> None:
        if not self.epochs:
            raise FormatError("a training without epochs")

    @property
    def gap(self) -> float:
        """Loss on validation minus loss on training, in nats, after the last epoch."""
        return self.epochs[-1].validation_loss - self.epochs[-1].train_loss


@dataclass(frozen=True, kw_only=True)
class Dropped:
    """What training with one rate of dropout gave.

    Attributes
    ----------
    float_accuracy, axnn_accuracy : on the test part
    energy_ratio : of the AxNN under the tightest bound
    same_ranking : rank correlation, mean over the layers, of the neurons' resilience (criterion
        `quantisation`) with that of the network trained without dropout from the same start
    removal_ranking : the same between the criteria `fisher`, the loss when a neuron is removed as
        dropout does, and `quantisation`, the loss when it is lowered, within this network
    """

    float_accuracy: Fraction
    axnn_accuracy: Fraction
    energy_ratio: float
    same_ranking: float
    removal_ranking: float


@dataclass(frozen=True, kw_only=True)
class Ablated:
    """What one setting of the method gave.

    Attributes
    ----------
    bounds : by bound, accuracy on the test part and energy ratio
    """

    bounds: dict[str, tuple[Fraction, Positive]]

    def __post_init__(self) -> None:
        if not self.bounds:
            raise FormatError("a setting without bounds")


@dataclass(frozen=True)
class DocumentKind(Generic[Document]):
    """The document of a stage.

    Attributes
    ----------
    name : of the stage
    schema : what it holds besides its ancestors; that of trainings has an entry for each
    """

    name: str
    schema: type[Document]


ORDERING = DocumentKind("ordering", Ordering)
EDGES = DocumentKind("edges", Edges)
OVERFITTING = DocumentKind("overfitting", dict[str, Overfitting])
DROPOUT = DocumentKind("dropout", dict[str, Dropped])
ABLATION = DocumentKind("ablation", dict[str, Ablated])
HARDWARE = DocumentKind("hardware", Hardware)
"""Of the run on the simulated engine, see `sim.check_apps`."""

KINDS: dict[str, DocumentKind[Any]] = {
    kind.name: kind for kind in (ORDERING, EDGES, OVERFITTING, DROPOUT, ABLATION, HARDWARE)
}
"""All of them by the name of their stage."""
