"""What all tests share."""

from typing import Any


def pytest_make_parametrize_id(config: Any, val: object, argname: str) -> str | None:
    """Name byte strings by their length: compressed ones contain the time, which ids must not."""
    return f"{argname}-{len(val)}-bytes" if isinstance(val, bytes) else None
