"""`python -m axnn`: the same as the command `axnn`."""

from axnn.cli import main

main()
