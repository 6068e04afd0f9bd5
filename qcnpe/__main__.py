"""`python -m qcnpe`: the same as the command `qcnpe`."""

from qcnpe.cli import main

main()
