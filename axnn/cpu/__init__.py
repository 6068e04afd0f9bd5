"""AxNN on ordinary processors: approximate networks that are faster in software.

>>> from axnn.cpu import Predictor
>>> predictor = Predictor.load("axnn-0.5.npz")  # doctest: +SKIP
>>> predictor.predict(inputs)  # doctest: +SKIP
"""

from axnn.cpu.predictor import Predictor

__all__ = ["Predictor"]
