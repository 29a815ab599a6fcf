"""Adversarial attacks (SOL 5.3): defences, the constrained problem, and attacks on it."""

from .attacks import Attacked, Optimizer, apgd, follow, pgd, restarted
from .defences import Defence, load, pretrained, robustbench
from .hardening import harden
from .losses import LOSSES
from .networks import SHAPES
from .publishing import accuracies, publish
from .target import Target
from .task import Attack

__all__ = [
    "LOSSES",
    "SHAPES",
    "Attack",
    "Attacked",
    "Defence",
    "Optimizer",
    "Target",
    "accuracies",
    "apgd",
    "follow",
    "harden",
    "load",
    "pgd",
    "pretrained",
    "publish",
    "restarted",
    "robustbench",
]
