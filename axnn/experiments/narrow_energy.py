"""Energy of networks whose neurons all compute at 2 bits, against the exact ones on `plain16`.

    python -m axnn.experiments.narrow_energy

The networks of two applications are trained for a short time on a part of their data, quantised at
16 and at 2 bits and retrained at 2: for operands as they are in trained networks, not for accuracy.
They are kept in the folder, so that other prices need no other training. The figures are added to
`results/energy.json`.
"""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

from axnn.data import load
from axnn.flow.apps import App, find_app
from axnn.flow.steps import energy_model
from axnn.nn.network import Network
from axnn.nn.retrain import retrain
from axnn.nn.train import train
from axnn.quantisation.calibration import calibrate
from axnn.quantisation.integers import to_integers
from axnn.quantisation.quantize import QuantisedNetwork, uniform_precision
from qcnpe.command_line import command
from qcnpe.prices import EnergyPrices
from qcnpe.spec.config import OPERAND_BITS
from qcnpe.spec.qnet import QuantNet
from qcnpe.spec.results import add_figures, read_results

COMMAND = "python -m axnn.experiments.narrow_energy"

APPLICATIONS = ("digits", "objects")
WIDTH = 2
SEED = 1
SAMPLES = 6_000
EPOCHS = 3


@dataclass(frozen=True)
class Narrow:
    """An application's networks and what they take.

    Attributes
    ----------
    app : its name
    exact_pj, narrow_pj : energy for a sample, on `plain16` and on the application's engine
    """

    app: str
    exact_pj: float
    narrow_pj: float

    @property
    def ratio(self) -> float:
        """How many times less energy the narrow network takes."""
        return self.exact_pj / self.narrow_pj


def make_networks(app: App, folder: Path) -> tuple[QuantNet, QuantNet]:
    """The exact and the narrow network: those in the folder, or new ones."""
    paths = folder / f"{app.name}-16b.npz", folder / f"{app.name}-{WIDTH}b.npz"
    if not all(path.exists() for path in paths):
        data = load(app.data, seed=SEED)
        part = replace(data, train=data.train.draw(SAMPLES, seed=SEED))
        network = Network(app.network, seed=SEED)
        train(network, part, replace(app.training, epochs=EPOCHS), seed=SEED)
        network = network.folded()
        folder.mkdir(parents=True, exist_ok=True)
        for width, path in zip((OPERAND_BITS, WIDTH), paths, strict=True):
            precision = uniform_precision(network, width)
            scales = calibrate(network, part.train.inputs, precision, app.engine)
            if width == WIDTH:
                model = QuantisedNetwork(network, scales, precision, app.engine)
                plan = replace(app.approximation.retraining, epochs=1)
                retrain(model, part, plan, seed=SEED)
            to_integers(network, scales, precision, app.engine).save(path)
    exact, narrow = (QuantNet.load(path) for path in paths)
    return exact, narrow


def measure(app: App, folder: Path, prices: EnergyPrices) -> Narrow:
    """Energies of an application's networks."""
    exact, narrow = make_networks(app, folder)
    model = energy_model(prices, app, load(app.data, seed=SEED))
    return Narrow(app.name, model.exact_cost(exact).energy_pj, model.cost(narrow).energy_pj)


def main() -> None:
    """Read the arguments; measure; write the figures."""
    parser = argparse.ArgumentParser(
        prog=COMMAND, description="Energy of networks at 2 bits against the exact ones."
    )
    parser.add_argument("--folder", type=Path, default=Path("build/narrow-energy"))
    parser.add_argument("--out", type=Path, default=Path("results/energy.json"))
    arguments = parser.parse_args()
    with command("narrow_energy"):
        read_results(arguments.out)  # a bad file is refused before the trainings
        prices, figures = EnergyPrices.load(), {}
        for name in APPLICATIONS:
            found = measure(find_app(name), arguments.folder, prices)
            pj = f"{found.exact_pj:,.0f} and {found.narrow_pj:,.0f} pJ"
            print(f"{name}: {pj} a sample, {found.ratio:.2f} x", flush=True)
            figures[f"all2.{name}.energy_ratio"] = round(found.ratio, 2)
        add_figures(arguments.out, figures, sources={"all2.*": COMMAND})


if __name__ == "__main__":
    main()
