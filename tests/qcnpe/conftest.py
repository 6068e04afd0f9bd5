"""Hypothesis draws the same examples in every run and keeps its files out of the tree."""

from pathlib import Path

from hypothesis import configuration, settings

ROOT = Path(__file__).parents[2]

configuration.set_hypothesis_home_dir(ROOT / "build" / ".cache" / "hypothesis")
settings.register_profile("qcnpe", derandomize=True, database=None, deadline=None, max_examples=100)
settings.load_profile("qcnpe")
