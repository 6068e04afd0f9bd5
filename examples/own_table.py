"""Writes a table to try `axnn train --data` with: 569 tumours, 30 measurements and a diagnosis.

Source: W. Wolberg, O. Mangasarian, N. Street, W. Street, Breast Cancer Wisconsin (Diagnostic), UCI
Machine Learning Repository, 1995; as scikit-learn bundles it.
"""

import argparse
import csv
import io
from pathlib import Path

from qcnpe.command_line import command
from qcnpe.spec.files import replace_text
from qcnpe.tools.extras import require_modules

LABEL = "class"
"""Name of the column of the labels."""


def tumours() -> str:
    """The table's text."""
    require_modules("sklearn")
    from sklearn.datasets import load_breast_cancer

    found = load_breast_cancer()
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow([*found.feature_names.tolist(), LABEL])
    names = found.target_names[found.target].tolist()
    table.writerows([*row, name] for row, name in zip(found.data.tolist(), names, strict=True))
    return text.getvalue()


def main() -> None:
    """Read the arguments; errors that a user can mend are one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path, help="CSV file to write")
    arguments = parser.parse_args()
    with command("own_table"):
        replace_text(arguments.path, tumours())


if __name__ == "__main__":
    main()
