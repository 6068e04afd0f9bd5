"""Rewrite the tables of README and docs from `results/*.json`, or say which pages differ."""

import argparse
import sys
from collections.abc import Sequence

from docs.tables.cells import ROOT
from docs.tables.pages import fill, pages
from qcnpe.spec.files import replace_text


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the status is 1 if `--check` finds a difference."""
    parser = argparse.ArgumentParser(prog="python -m docs.tables", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, say what differs")
    check = parser.parse_args(arguments).check
    status = 0
    for page in pages():
        old = page.read_text(encoding="utf-8")
        if (new := fill(old)) == old:
            continue
        if check:
            print(f"{page.relative_to(ROOT)}: tables differ from results/; run `make tables`")
            status = 1
        else:
            replace_text(page, new)
    return status


if __name__ == "__main__":
    sys.exit(main())
