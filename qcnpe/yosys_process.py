"""A process that runs one Yosys script in its working folder; see `qcnpe.yosys`.

It is started as a file, so that it imports nothing but Yosys, which alone takes half a second.
"""

import sys
from pathlib import Path

import pyosys  # noqa: F401  sets what `_PLACES` names

_PLACES = {"_pyosys_share_dirname": "yosys-share", "_pyosys_abc": "yosys-abc"}
"""Where the package tells Yosys to find its files, and links to those in the working folder.

Yosys puts these names into commands and does not escape quotes and dollar signs in them, while the
package may lie in a folder of any name.
"""


def main() -> None:
    """Run the script that the first argument names."""
    for place, link in _PLACES.items():
        target = Path(getattr(sys, place))
        if not Path(link).is_symlink():
            Path(link).symlink_to(target)
        setattr(sys, place, f"./{link}/" if target.is_dir() else f"./{link}")
    # It reads the places when it is imported.
    from pyosys import libyosys

    libyosys.run_pass(f"script {sys.argv[1]}", libyosys.Design())


if __name__ == "__main__":
    main()
