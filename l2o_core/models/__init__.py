"""Optimizers that can be meta-trained: numerical ones (LSTMs) and equations with free constants."""

from .base import CoordinateOptimizer
from .equation import Equation
from .recurrent import DM, RP, Recurrent, RPSmall, RPSmallExtra
from .store import ARCHITECTURES, load, pretrained, write

__all__ = [
    "ARCHITECTURES",
    "DM",
    "RP",
    "CoordinateOptimizer",
    "Equation",
    "RPSmall",
    "RPSmallExtra",
    "Recurrent",
    "load",
    "pretrained",
    "write",
]
