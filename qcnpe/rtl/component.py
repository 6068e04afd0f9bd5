"""The base of components whose ports depend on their parameters."""

from typing import TYPE_CHECKING, Any

from amaranth.lib import wiring


class Component(wiring.Component):
    """A component that makes its ports in `__init__`, where a type checker cannot see them."""

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...
