"""A process that runs one Yosys script in its working folder; see `qcnpe.yosys`.

It is started as a file, not as a module of `qcnpe`, so that it imports nothing but Yosys, which
alone takes half a second.
"""

import sys
from pathlib import Path

import pyosys  # noqa: F401  sets what `_PLACES` names

_PLACES = {"_pyosys_share_dirname": "yosys-share", "_pyosys_abc": "yosys-abc"}
"""Attributes of `sys` that hold the paths of Yosys' own files, and links to these paths.

Yosys puts the paths into commands without escaping quotes and dollar signs, but the package may be
in a folder of any name. The links are in the working folder.
"""


def main() -> None:
    """Run the script that the first argument names."""
    for place, link in _PLACES.items():
        target = Path(getattr(sys, place))
        if not Path(link).is_symlink():
            Path(link).symlink_to(target)
        setattr(sys, place, f"./{link}/" if target.is_dir() else f"./{link}")
    # It reads the paths when it is imported.
    from pyosys import libyosys

    libyosys.run_pass(f"script {sys.argv[1]}", libyosys.Design())


if __name__ == "__main__":
    main()
