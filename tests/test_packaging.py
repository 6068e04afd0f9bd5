"""Consistency of pyproject.toml, Makefile and documents, and text that no file may contain."""

import importlib
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")

# Too large for `all`, which has to keep `make demo` quick; installed by the targets that need them.
HEAVY_EXTRAS = {"browser", "docs", "fpga", "formal", "fuzz", "layout", "peers", "release", "speed"}

REQUIREMENTS = [
    Requirement(line)
    for group in [PROJECT["dependencies"], *EXTRAS.values()]
    for line in group
    if not line.startswith("axnn[")
]

# Escaped as they are, the patterns do not match themselves.
FOREIGN = {
    "path of one machine": re.compile(r"(?<![\w.~}])/(?:home|root|tmp|work|Users)/[\w.-]"),
    "registry host": re.compile(r"pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|deb\.debian\.org"),
}

needs_git = pytest.mark.skipif(
    not (ROOT / ".git").exists() or shutil.which("git") is None, reason="not a git checkout"
)


def documents() -> list[Path]:
    return [path for path in map(ROOT.joinpath, ("README.md", "CONTRIBUTING.md")) if path.exists()]


def foreign_strings(text: str) -> list[str]:
    return [kind for kind, pattern in FOREIGN.items() if pattern.search(text)]


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    # Run under `make test`, this one must not inherit that one's options.
    environment = {name: value for name, value in os.environ.items() if name != "MAKEFLAGS"}
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )


def help_targets() -> set[str]:
    return set(re.findall(r"^  make ([a-z-]+)", make("help").stdout, flags=re.MULTILINE))


def test_all_holds_every_extra_but_the_heavy_ones() -> None:
    [everything] = [Requirement(line) for line in EXTRAS["all"]]
    assert everything.name == PROJECT["name"]
    assert everything.extras == EXTRAS.keys() - HEAVY_EXTRAS - {"all"}


@pytest.mark.parametrize("requirement", REQUIREMENTS, ids=str)
def test_dependency_has_a_lower_and_an_upper_bound(requirement: Requirement) -> None:
    assert {part.operator for part in requirement.specifier} == {">=", "<"}


@pytest.mark.parametrize("name", sorted({requirement.name for requirement in REQUIREMENTS}))
def test_contributing_says_why_the_dependency_is_there(name: str) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert re.search(rf"^\| .*`{re.escape(name)}`.* \| .+ \|$", text, flags=re.MULTILINE)


def test_python_versions_agree() -> None:
    [(low, high)] = re.findall(r"^>=3\.(\d+),<3\.(\d+)$", PROJECT["requires-python"])
    versions = {f"3.{minor}" for minor in range(int(low), int(high))}
    classified = {c.rpartition(" ")[2] for c in PROJECT["classifiers"] if ":: 3." in c}
    assert classified == versions
    assert set(re.findall(r"python(3\.\d+)", MAKEFILE)) == versions
    assert f"(3, {low}) <= sys.version_info[:2] <= (3, {int(high) - 1})" in MAKEFILE


@pytest.mark.parametrize("entry", PROJECT["scripts"].values(), ids=PROJECT["scripts"].keys())
def test_console_script_exists(entry: str) -> None:
    module, _, function = entry.partition(":")
    assert callable(getattr(importlib.import_module(module), function))


def test_make_alone_shows_the_help() -> None:
    assert make().stdout == make("help").stdout
    assert {"demo", "test", "verilog", "sim", "synth", "lint", "help"} <= help_targets()


def test_every_target_in_the_help_can_be_made() -> None:
    [phony] = re.findall(r"^\.PHONY:(.*)", MAKEFILE, flags=re.MULTILINE)
    for target in help_targets():
        run = make("--dry-run", target)
        assert run.returncode == 0, run.stderr
        assert target in phony.split()


def help_variables() -> dict[str, list[str]]:
    """For each target, the variables that its help offers in brackets."""
    lines = re.findall(r"^  make ([a-z-]+)(.*)$", make("help").stdout, flags=re.MULTILINE)
    return {target: re.findall(r"\b([A-Z]+)=", text) for target, text in lines}


def test_targets_use_the_variables_that_their_help_offers() -> None:
    for target, variables in help_variables().items():
        for variable in variables:
            runs = (make("--dry-run", target, f"{variable}={value}") for value in ("", "9"))
            assert len({run.stdout for run in runs}) == 2, f"make {target} ignores {variable}"


def test_a_quick_synthesis_is_of_the_engine_that_was_asked_for() -> None:
    engine = ("ROWS=2", "COLS=3", "PRECISIONS=16,8", "NCU=gated")
    commands = make("--dry-run", "synth", "QUICK=1", *engine).stdout.replace("\\\n", " ").split()
    for option, value in (("rows", "2"), ("cols", "3"), ("precisions", "16,8"), ("ncu", "gated")):
        assert commands[commands.index(f"--{option}") + 1] == value
    assert "--quick" in commands


def test_every_make_command_in_the_documents_exists() -> None:
    inline = r"`make ([a-z-]+)"
    line = r"^ *(?:\$ )?make ([a-z-]+)(?: +[A-Z]+=\S+)*(?: +#.*)?$"
    for path in documents():
        text = path.read_text(encoding="utf-8")
        named = {*re.findall(inline, text), *re.findall(line, text, flags=re.MULTILINE)}
        assert named <= help_targets(), f"{path.name} names unknown targets"


def test_parameters_reach_the_generator() -> None:
    recipe = make("--dry-run", "verilog", "ROWS=4", "PRECISIONS=16,8", "NCU=gated", "NAME=a").stdout
    for option in ("--rows 4", "--cols 16", "--precisions 16,8", "--ncu gated", "--name a"):
        assert option in recipe


@needs_git
def test_no_file_names_a_machine_or_a_registry() -> None:
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    found = []
    for name in filter(None, listing.split("\0")):
        path = ROOT / name
        if path.is_file():
            text = path.read_bytes().decode("utf-8", errors="ignore")
            found += [f"{name}: {kind}" for kind in foreign_strings(text)]
    assert not found


@pytest.mark.parametrize(
    ("parts", "kinds"),
    [
        (("cd /", "tmp", "/x"), ["path of one machine"]),
        (('"/', "home", '/ann"'), ["path of one machine"]),
        (("https://", "pypi", ".org/simple"), ["registry host"]),
        (("build", "/tmp", "/x"), []),
        (("/usr/bin/env bash",), []),
    ],
)
def test_foreign_strings_are_seen(parts: tuple[str, ...], kinds: list[str]) -> None:
    assert foreign_strings("".join(parts)) == kinds
