"""The lowest versions that pyproject.toml allows, as a shared environment may have them."""

from packaging.requirements import Requirement

from tests.release.conftest import ROOT, run
from tests.test_packaging import EXTRAS, PROJECT

WITH = ("data", "onnx", "plots", "boards")
TESTS = (
    "tests/axnn/test_cli.py",
    "tests/axnn/test_cli_commands.py",
    "tests/axnn/test_api.py",
    "tests/qcnpe/spec",
    "tests/test_core_only.py",
)


def lowest(line: str) -> str:
    """A requirement of exactly the lower bound."""
    wanted = Requirement(line)
    [bound] = (part.version for part in wanted.specifier if part.operator == ">=")
    return f"{wanted.name}=={bound}"


def test_the_lowest_versions_pass_the_tests(install, tmp_path):
    lines = [*PROJECT["dependencies"], *(line for extra in WITH for line in EXTRAS[extra])]
    (tmp_path / "lowest.txt").write_text("\n".join(map(lowest, lines)))
    constraints = ("--constraint", tmp_path / "lowest.txt")
    environment = install(",".join(WITH), *constraints)
    environment.uv("install", "packaging", *EXTRAS["dev"], *constraints)
    run([environment.root / "bin" / "python", "-m", "pytest", "-q", *TESTS], ROOT)
