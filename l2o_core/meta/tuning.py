"""Meta-tuning: an equation whose constants go on learning, on the problem at hand (SymL2O 3.6)."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ..expressions import Expression
from ..models import Equation
from ..tasks.base import Task
from .history import History
from .training import meta_train


def tune(
    rule: str | Expression | Equation, task: Task, *, lr: float = 0.01, **options: Any
) -> tuple[Equation, History]:
    """The rule with its constants meta-trained on `task`, and how that went; the given rule stays as it is.

    Every constant is trained in units of its own size, so `lr` is relative: a step changes it by about that
    share of itself. `options` are those of `meta_train`; the defaults are 20 epochs of 200 steps with a
    falling learning rate. No graph of the optimizee outlives a step (see `adjoint`), so the activations of an
    unroll are never in memory together; the rule's past is, less of it with `compact`.

    Raises what `meta_train` raises.
    """
    tuned = copy.deepcopy(rule) if isinstance(rule, Equation) else Equation(rule)
    for module, name in _trained(tuned):
        parametrize.register_parametrization(module, name, _Relative(getattr(module, name)))
    defaults = {"epochs": 20, "steps": 200, "decay": True, "validate_every": 2, "validation_instances": 1}
    history = meta_train(tuned, task, lr=lr, **(defaults | options))
    for module, name in _trained(tuned):
        parametrize.remove_parametrizations(module, name)
    return tuned, history


class _Relative(nn.Module):
    """Numbers in units of what they were at first; those that were 0, in units of the others' mean size."""

    def __init__(self, first: Tensor):
        super().__init__()
        sizes = first.detach().abs()
        mean = sizes.mean() if sizes.any() else torch.ones(())
        self.register_buffer("unit", torch.where(sizes > 0, first.detach(), mean))

    def forward(self, relative: Tensor) -> Tensor:
        return relative * self.unit

    def right_inverse(self, value: Tensor) -> Tensor:
        return value / self.unit


def _trained(equation: Equation) -> list[tuple[nn.Module, str]]:
    """The constants, the coefficients, and the powers of n_hat: where there are any."""
    parts = [(equation, "constants")] if equation.rule.constants else []
    parts += [(equation, "coefficients")]
    if isinstance(equation.features, nn.Module):
        parts += [(equation.features, name) for name in ("k", "l", "alpha")]
    return [(module, name) for module, name in parts if getattr(module, name) is not None]
