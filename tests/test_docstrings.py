# amaranth: UnusedElaboratable=no
"""Public objects have docstrings; those of components say the direction and width of each port.

A port's line reads `NAME : DIRECTION, WIDTH, meaning`. The direction is in or out. The width is `N
bits`, or Python in backquotes: a number of bits, or a shape or layout; either may be `stream of`.
Ports that differ in an upper-case part share a line; so do those of a bus: `NAME_* : bus, ...`.
"""

import ast
import inspect
import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import Shape
from amaranth.lib.wiring import In

import qcnpe.rtl
from qcnpe.rtl import layouts
from qcnpe.rtl.component import Component
from qcnpe.rtl.halt import Halt
from qcnpe.rtl.layouts import ACTIVATION_LANE, NO_CONTROL
from qcnpe.rtl.memory.layouts import TAP_LAYOUT
from qcnpe.spec.config import EngineConfig
from qcnpe.spec.frames import LINK_VERSION, Welcome
from qcnpe.spec.link import LinkConfig
from qcnpe.spec.memory.config import Memory, MemoryConfig
from qcnpe.spec.registers import registers

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


CONFIG = EngineConfig(rows=3, cols=5)
MEMORIES = MemoryConfig.default(CONFIG)

# What a component is made with here, by the name of the parameter.
ARGUMENTS: dict[str, Any] = {
    "address_bits": 7,
    "baud": 9600,
    "breaks": (3, 7),
    "clock_hz": 1e6,
    "config": CONFIG,
    "control": NO_CONTROL,
    "data_bits": 64,
    "depth": 8,
    "entry": TAP_LAYOUT,
    "granularity": 3,
    "lane": ACTIVATION_LANE,
    "lanes": 3,
    "memory": Memory.TAPS,
    "link": LinkConfig(engine=CONFIG, clock_hz=12e6, baud=115200),
    "row_bits": 5,
    "selector": "source",
    "step": 9,
    "store_depth": 512,
    "table": registers(CONFIG),
    "tree": None,
    "weighted": True,
    "welcome": Welcome(version=LINK_VERSION, fifo_depth=16, buffer=512, store=512),
    "width": 6,
    "words": 4,
    "writes": True,
}

PORT = re.compile(
    r"^(?P<names>\w[\w*, ]*) : ((?P<bus>bus)|(?P<direction>in|out), (?P<stream>stream of )?"
    r"((?P<bits>\d+) bits?|`(?P<python>[^`]+)`( bits)?)( each)?), ",
    re.MULTILINE,
)


def components() -> list[type[Component]]:
    """Give every class with ports of the RTL and of structural NCUs."""
    modules = pkgutil.walk_packages(qcnpe.rtl.__path__, "qcnpe.rtl.")
    found = [
        kind
        for name in (*(module.name for module in modules), "synth.row", "synth.structural")
        for kind in vars(import_module(name)).values()
        if inspect.isclass(kind) and kind.__module__ == name and issubclass(kind, Component)
    ]
    return [kind for kind in found if kind.__init__ is not Component.__init__]


def described(docstring: str) -> list[re.Match[str]]:
    """Give the lines of a docstring's section Ports that have the form."""
    section = docstring.partition("Ports\n-----\n")[2].partition("\n\n")[0]
    return list(PORT.finditer(section))


def is_about(line: re.Match[str], port: str) -> bool:
    """Say whether a line names a port."""
    patterns = (re.sub(r"[A-Z]+|\*", r"\\w+", name) for name in line["names"].split(", "))
    return any(re.fullmatch(pattern, port) for pattern in patterns)


def is_right(line: re.Match[str], member: Any, names: dict[str, Any]) -> bool:
    """Say whether a line states a port's direction and width; `names` are those it may use."""
    if line["bus"]:
        return True
    if line["direction"] != ("in" if member.flow is In else "out"):
        return False
    if line["stream"]:
        member = member.signature.members["payload"]
    said = eval(line["python"], names) if line["python"] else int(line["bits"])
    return Shape.cast(member.shape).width == Shape.cast(said).width


def badly_described(kind: type[Component], docstring: str) -> list[str]:
    """List the ports that a component's docstring leaves out, or describes wrongly or twice."""
    arguments = {
        name: MEMORIES if parameter.annotation is MemoryConfig else ARGUMENTS[name]
        for name, parameter in inspect.signature(kind).parameters.items()
    }
    names = {**vars(layouts), **vars(import_module(kind.__module__)), **arguments}
    bad = []
    for port, member in kind(**arguments).signature.members.items():
        lines = [line for line in described(docstring) if is_about(line, port)]
        if len(lines) != 1 or not is_right(lines[0], member, names):
            bad.append(port)
    return bad


@pytest.mark.parametrize("kind", components(), ids=lambda kind: kind.__name__)
def test_components_describe_their_ports(kind: type[Component]) -> None:
    bad = badly_described(kind, inspect.getdoc(kind) or "")
    assert not bad, f"direction or width is not said: {', '.join(bad)}"


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("busy : in, 1 bit", "idle : in, 1 bit"),
        ("busy : in, 1 bit", "busy : out, 1 bit"),
        ("busy : in, 1 bit", "busy : in, 2 bits"),
        ("busy : in, 1 bit", "busy : in, `ErrorCause`"),
        ("busy : in, 1 bit, ", "busy : "),
    ],
)
def test_a_wrong_description_is_found(right: str, wrong: str) -> None:
    docstring = inspect.getdoc(Halt) or ""
    assert right in docstring
    assert badly_described(Halt, docstring.replace(right, wrong)) == ["busy"]
