"""The `qcnpe` command, to which the modules of this package add theirs."""

from qcnpe.options import make_cli

cli = make_cli(
    "qcnpe", "The QC-NPE engine: generate it, compile networks for it, simulate and synthesise it."
)
