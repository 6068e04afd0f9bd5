"""How well a random draw of samples tells an energy: the spread over many draws.

    python -m axnn.experiments.energy_spread --run build/demo --samples 16 128

An energy that is read with so many samples is off by less than two standard deviations 19 times in
20; `axnn.flow.steps.ACTIVITY_SAMPLES` is chosen so that this is 1 % at most.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from axnn.flow.energy import EnergyModel
from axnn.flow.run_folder import RunFolder
from qcnpe.command_line import command
from qcnpe.prices import EnergyPrices


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Means and relative standard deviations over draws.

    Attributes
    ----------
    samples : of a draw
    exact16, axnn, ratio : (mean, standard deviation over mean) of the energy of a sample in pJ of
        the exact network, of the approximate one, and of their quotient
    """

    samples: int
    exact16: tuple[float, float]
    axnn: tuple[float, float]
    ratio: tuple[float, float]


def energy_spread(run: RunFolder, prices: EnergyPrices, *, samples: int, draws: int) -> Spread:
    """Read the energies of a run's networks with so many draws of validation samples."""
    trained, found = run.trained(), run.approximated()
    validation = run.samples().validation
    energies = []
    for seed in range(draws):
        drawn = validation.draw(samples, seed=seed).inputs
        model = EnergyModel(prices, trained.app.engine, drawn)
        pair = model.exact_cost(found.exact).energy_pj, model.cost(found.axnn).energy_pj
        energies.append((*pair, pair[0] / pair[1]))
    means, deviations = np.mean(energies, axis=0), np.std(energies, axis=0, ddof=1)
    exact16, axnn, ratio = zip(means.tolist(), (deviations / means).tolist(), strict=True)
    return Spread(samples=samples, exact16=exact16, axnn=axnn, ratio=ratio)


def main() -> None:
    """Read the arguments; errors that a user can mend are one line."""
    parser = argparse.ArgumentParser(
        prog="python -m axnn.experiments.energy_spread",
        description="How well a random draw of samples tells an energy.",
    )
    parser.add_argument("--run", type=Path, required=True, help="folder of an approximated network")
    parser.add_argument("--samples", type=int, nargs="+", default=[16, 64, 128], help="of a draw")
    parser.add_argument("--draws", type=int, default=20)
    arguments = parser.parse_args()
    if min(*arguments.samples, arguments.draws - 1) < 1:
        parser.error("samples must be at least 1, and draws at least 2")
    with command("energy_spread"):
        run, prices = RunFolder(arguments.run), EnergyPrices.load()
        for samples in arguments.samples:
            print(energy_spread(run, prices, samples=samples, draws=arguments.draws))


if __name__ == "__main__":
    main()
