"""Data sets: real samples, verified, split into training, validation and test parts."""

from axnn.data.parts import DataSet, Split, stratified_split
from axnn.data.registry import LOADERS, load, needs

__all__ = ["LOADERS", "DataSet", "Split", "load", "needs", "stratified_split"]
