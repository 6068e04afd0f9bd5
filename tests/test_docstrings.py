"""Every public module, class, function and method of the packages says what it is for."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("qcnpe", "axnn", "sim", "synth")

# Called by a framework that defines what they mean; the class says the rest.
FRAMEWORK_METHODS = {"elaborate"}

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def public(node: Documented, name: str) -> Iterator[tuple[str, Documented]]:
    """Give a module or class and all that is public in it, as (dotted name, node)."""
    yield name, node
    for child in node.body:
        if not isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if child.name.startswith("_") or child.name in FRAMEWORK_METHODS or is_variant(child):
            continue
        inner = f"{name}.{child.name}"
        yield from public(child, inner) if isinstance(child, ast.ClassDef) else [(inner, child)]


def is_variant(node: ast.AST) -> bool:
    """Say whether a decorator makes this a further form of something documented elsewhere."""
    for decorator in getattr(node, "decorator_list", []):
        match decorator:
            case ast.Name(id="overload" | "override") | ast.Attribute(attr="setter" | "override"):
                return True
    return False


def undocumented(source: str, module: str) -> list[str]:
    """List the public objects of a source text that have no docstring."""
    return [n for n, node in public(ast.parse(source), module) if not ast.get_docstring(node)]


@pytest.mark.parametrize("package", PACKAGES)
def test_public_objects_have_docstrings(package: str) -> None:
    missing = [
        name
        for path in sorted((ROOT / package).rglob("*.py"))
        for name in undocumented(
            path.read_text(encoding="utf-8"), ".".join(path.relative_to(ROOT).with_suffix("").parts)
        )
    ]
    assert not missing, f"no docstring: {', '.join(missing)}"


def test_each_kind_of_object_can_fail() -> None:
    source = (
        "class A:\n"
        "    def method(self): ...\n"
        "    @property\n"
        "    def size(self): ...\n"
        "    @size.setter\n"
        "    def size(self, value): ...\n"
        "    def elaborate(self, platform): ...\n"
        "    def _private(self): ...\n"
        "async def bench(dut): ...\n"
        "def f():\n"
        "    'Documented.'\n"
        "    def nested(): ...\n"
        "class _Private:\n"
        "    def method(self): ...\n"
    )
    assert undocumented(source, "m") == ["m", "m.A", "m.A.method", "m.A.size", "m.bench"]
