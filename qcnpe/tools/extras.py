"""Finds the extra of the package that provides a missing module."""

import re
from collections import defaultdict
from importlib.metadata import requires
from importlib.util import find_spec

from qcnpe.spec.errors import ToolMissingError

DISTRIBUTIONS = {
    "PIL": "pillow",
    "amaranth_boards": "amaranth-boards",
    "cocotb_tools": "cocotb",
    "cocotbext": "cocotbext-axi",
    "coriolis": "coriolis-eda",
    "find_libpython": "cocotb",
    "google": "onnx",
    "serial": "pyserial",
    "sklearn": "scikit-learn",
}
"""Packages by the names of their modules, where the two names differ."""

_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+).*extra == '(?P<extra>\w+)'")


def extra_of(module: str) -> str | None:
    """The smallest extra that provides a module; None if no extra does.

    Parameters
    ----------
    module : its dotted name
    """
    top = module.partition(".")[0]
    package = DISTRIBUTIONS.get(top, top.replace("_", "-"))
    extras: defaultdict[str, set[str]] = defaultdict(set)
    for requirement in requires("axnn") or ():
        if found := _REQUIREMENT.match(requirement):
            extras[found["extra"]].add(found["name"].lower())
    bringing = (extra for extra, packages in extras.items() if package.lower() in packages)
    return min(bringing, key=lambda extra: len(extras[extra]), default=None)


def explain(module: str) -> str | None:
    """What to install for a missing module, if an extra provides it."""
    extra = extra_of(module)
    if extra is None:
        return None
    top = module.partition(".")[0]
    return f"{top} is missing: install the extra {extra}: pip install 'axnn[{extra}]'"


def require_modules(*modules: str) -> None:
    """Check that modules of extras are installed, without importing them.

    Raises
    ------
    ToolMissingError
        Names all that are missing, and what to install.
    """
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise ToolMissingError("; ".join(explain(name) or f"{name} is missing" for name in missing))
