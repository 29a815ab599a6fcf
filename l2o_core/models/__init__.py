"""Optimizers that can be meta-trained: numerical ones (LSTMs) and equations with free constants."""

from .base import CoordinateOptimizer
from .equation import Equation
from .recurrent import DM, RP, Recurrent
from .store import load, pretrained, write

__all__ = ["DM", "RP", "CoordinateOptimizer", "Equation", "Recurrent", "load", "pretrained", "write"]
