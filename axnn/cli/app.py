"""The `axnn` command, to which the modules of this package add theirs."""

from qcnpe.options import make_cli

cli = make_cli(
    "axnn", "Approximate neural networks: train, find the resilient neurons, lower their precision."
)
