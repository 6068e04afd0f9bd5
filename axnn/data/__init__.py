"""Data sets: real samples, verified, split into training, validation and test parts."""

from axnn.data.columns import Column
from axnn.data.encoding import Encoding
from axnn.data.labels import Classes, Quantity
from axnn.data.own import OwnData
from axnn.data.parts import DataSet, Split, stratified_parts, stratified_split
from axnn.data.registry import LOADERS, load, needs
from axnn.data.scaling import Scaling
from axnn.data.task import Agreement, Classification, Regression

__all__ = [
    "LOADERS",
    "Agreement",
    "Classes",
    "Classification",
    "Column",
    "DataSet",
    "Encoding",
    "OwnData",
    "Quantity",
    "Regression",
    "Scaling",
    "Split",
    "load",
    "needs",
    "stratified_parts",
    "stratified_split",
]
