"""Seeded bugs: one expression of a component's source, wrong."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@dataclass(frozen=True)
class Bug:
    """A change to a module that a claim must notice.

    Attributes
    ----------
    module : where the component is
    right : an expression that the module contains exactly once
    wrong : its replacement
    """

    module: ModuleType
    right: str
    wrong: str

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Within the context, every component of the module's classes has the bug."""
        wrong = self._execute()
        with pytest.MonkeyPatch.context() as patch:
            for name, module in list(sys.modules.items()):
                if name.startswith(("qcnpe.rtl", "tests.formal")):
                    for attribute, value in list(vars(module).items()):
                        if isinstance(value, type) and value.__module__ == self.module.__name__:
                            patch.setattr(module, attribute, wrong[value.__name__])
            yield

    def _execute(self) -> dict[str, Any]:
        path = Path(str(self.module.__file__))
        source = path.read_text(encoding="utf-8")
        count = source.count(self.right)
        assert count == 1, f"{path.name} has {self.right!r} {count} times: seed another bug"
        namespace: dict[str, Any] = {"__name__": self.module.__name__}
        exec(compile(source.replace(self.right, self.wrong), str(path), "exec"), namespace)
        return namespace
