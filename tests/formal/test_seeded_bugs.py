"""The seeded bugs of every proof match the source that they change; this needs no prover."""

import importlib
from pathlib import Path

import pytest

from tests.formal.proof import ProofTest

PROOFS = [
    proof
    for path in sorted(Path(__file__).parent.glob("prove_*.py"))
    for proof in vars(importlib.import_module(f"tests.formal.{path.stem}")).values()
    if isinstance(proof, type) and issubclass(proof, ProofTest) and proof is not ProofTest
]


@pytest.mark.parametrize("proof", PROOFS, ids=lambda proof: proof.__name__)
def test_bugs_can_be_planted(proof):
    for bug in proof.bugs.values():
        with bug.planted():
            pass


def test_there_are_proofs():
    assert len(PROOFS) > 8
