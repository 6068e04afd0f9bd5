"""A small problem that trains in milliseconds, for tests of what works on networks."""

from dataclasses import replace

import numpy as np

from axnn.data import Classes, DataSet, Split
from axnn.nn.network import Network
from axnn.nn.spec import LayerSpec, NetworkSpec
from axnn.nn.train import TrainingPlan, train
from qcnpe.events import EventCounts, OperandActivity
from qcnpe.prices import EnergyPrices
from qcnpe.spec.config import EngineConfig

ENGINE = EngineConfig(rows=4, cols=4)
EACH = dict.fromkeys((16, 8, 4, 2), 0)
COUNTED = EventCounts(
    macs=EACH, ncu_beats=EACH, ncu_tiles=EACH, lane_words=EACH, result_fields=EACH
)
MEMORIES = (
    "activation_memory_read",
    "activation_memory_write",
    "weight_memory_read",
    "parameter_memory_read",
    "memory_leakage_cycle",
    "external_word",
)
FREE = {
    event: 0.0
    for known in (None, dict.fromkeys(EACH, OperandActivity()))
    for event in COUNTED.events(known)
    if not event.startswith("ncu_") or event in ("ncu_idle_cycle", "ncu_edge_beat", "ncu_result")
} | dict.fromkeys(("afu_identity", "afu_relu", "afu_table", *MEMORIES), 0.0)
"""Prices of all events around the neural compute units: nothing."""

PRICES = FREE | {
    "plain16_mac_16b": 2.0,
    "ncu_mac_16b": 2.2,
    "ncu_mac_8b": 0.7,
    "ncu_mac_4b": 0.3,
    "ncu_mac_2b": 0.1,
    "ncu_idle_cycle": 0.02,
    "afu_identity": 1.0,
    "afu_relu": 1.0,
    "afu_table": 2.0,
    "afu_maximum": 0.5,
    "activation_memory_read": 2.0,
    "activation_memory_write": 2.5,
    "weight_memory_read": 4.0,
    "parameter_memory_read": 1.0,
    "memory_leakage_cycle": 0.01,
    "external_word": 300.0,
}
for _width, _pairs in ((16, 1), (8, 2), (4, 4), (2, 8)):
    # A multiply-accumulate costs the same whatever its operands are.
    PRICES[f"result_{_width}b"] = 0.2
    for _event in ("lane", "zero_flip", "product_toggle", "tile"):
        PRICES[f"ncu_{_event}_{_width}b"] = PRICES[f"plain16_{_event}_{_width}b"] = 0.0
    PRICES[f"queue_word_{_width}b"], PRICES[f"skew_word_{_width}b"] = 0.1, 0.2
    PRICES[f"ncu_beat_{_width}b"] = _pairs * PRICES[f"ncu_mac_{_width}b"]
PRICES["plain16_beat_16b"] = PRICES["plain16_mac_16b"]
# Scaling the precision of a multiplier of 16 bits saves less than packing its lanes.
for _width, _price in ((16, 2.1), (8, 1.4), (4, 1.0), (2, 0.8)):
    for _event in ("lane", "zero_flip", "product_toggle", "tile"):
        PRICES[f"gated_{_event}_{_width}b"] = 0.0
    PRICES[f"gated_mac_{_width}b"] = PRICES[f"gated_beat_{_width}b"] = _price
TABLE = EnergyPrices(PRICES, {"source": "made up for tests"})
PLAN = TrainingPlan(epochs=20, batch=16, learning_rate=0.1)


def with_prices(**pj: float) -> EnergyPrices:
    """The made-up prices with some of the memory side; all other events there cost nothing."""
    return EnergyPrices({**dict.fromkeys(EnergyPrices.load().pj, 0.0), **TABLE.pj, **pj}, {})


def make_data(*, seed: int = 0, samples: int = 120, noise: float = 0.15) -> DataSet:
    """Three noisy classes, each a pattern of 3x4 pixels."""
    rng = np.random.default_rng(seed)
    patterns = rng.random((3, 1, 3, 4))

    def split(count: int) -> Split:
        labels = np.arange(count) % 3
        values = patterns[labels] + rng.normal(0, noise, (count, 1, 3, 4))
        return Split(np.clip(values, 0, 1).astype(np.float32), labels)

    return DataSet(
        name="tiny",
        classes=Classes.numbered(3),
        train=split(samples),
        validation=split(60),
        test=split(60),
    )


def poison_test_part(data: DataSet) -> DataSet:
    """The same data, whose test part spoils whatever reads it: other samples, wrong labels."""
    return replace(data, test=Split(-data.test.inputs, (data.test.labels + 1) % 3))


def make_spec(function: str = "relu", hidden: int = 10) -> NetworkSpec:
    """A network with one hidden layer."""
    return NetworkSpec(
        name="tiny",
        input_shape=(1, 3, 4),
        layers=(
            LayerSpec(kind="dense", channels=hidden, function=function),
            LayerSpec(kind="dense", channels=3, function="identity"),
        ),
    )


def make_trained(
    data: DataSet, function: str = "relu", *, seed: int = 0, plan: TrainingPlan = PLAN
) -> Network:
    """A trained network."""
    network = Network(make_spec(function), seed=seed)
    train(network, data, plan, seed=seed)
    return network
