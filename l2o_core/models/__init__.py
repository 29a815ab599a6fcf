"""Optimizers that can be meta-trained: LSTMs, networks of operators, and equations with free constants."""

from .base import LearnedOptimizer
from .cards import card
from .equation import Equation
from .recurrent import DM, RP, Recurrent, RPSmall, RPSmallExtra
from .sol import SOL
from .store import ARCHITECTURES, describe, load, pretrained, save

__all__ = [
    "ARCHITECTURES",
    "DM",
    "RP",
    "SOL",
    "Equation",
    "LearnedOptimizer",
    "RPSmall",
    "RPSmallExtra",
    "Recurrent",
    "card",
    "describe",
    "load",
    "pretrained",
    "save",
]
