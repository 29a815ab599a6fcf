"""Meta-tuning: an equation whose constants go on learning, on the problem at hand (SymL2O 3.6)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ..expressions import Expression, System
from ..models.equation import Equation
from ..tasks.base import Task
from .config import TrainingConfig
from .given import own_equation
from .history import History
from .training import train


def tune(
    rule: str | Expression | System | Equation,
    task: Task,
    *,
    seed: int = 0,
    epochs: int = 20,
    steps: int | Sequence[int] = 200,
    unroll: int = 20,
    instances: int = 1,
    lr: float = 0.01,
    decay: bool = True,
    clip: float = 1.0,
    fraction: float = 1.0,
    scaling: float = 0.0,
    state_dtype: torch.dtype | None = None,
    imitation: float = 0.0,
    estimator: str = "tbptt",
    validate_every: int = 2,
    validation_instances: int = 1,
    checkpoint: str | Path | None = None,
    log: str | Path | None = None,
    progress: bool = True,
) -> tuple[Equation, History]:
    """Meta-train the constants of a rule on a task (meta-tuning, SymL2O 3.6); the given rule is not changed.

    Every constant is trained in units of its own magnitude, so `lr` is relative: a step changes a constant by
    about that fraction of itself. No graph of the optimizee outlives a step (see `meta.adjoint`), so the
    activations of an unroll are never in memory together; the rule's history is, and `state_dtype` halves it.

    Args:
        rule: The equation, as text, as an expression or system, or as a model with coefficients by name.
        task: The problem at hand.
        seed: See `meta_train`, as for all options that follow.
        epochs: Rollouts from fresh instances.
        steps: Optimizee steps of an epoch.
        unroll: Optimizee steps between two changes of the constants.
        instances: Instances of the task, optimized at once.
        lr: Learning rate of Adam, as a fraction of each constant.
        decay: Let it fall to zero along half a cosine.
        clip: Largest norm of the meta-gradient.
        fraction: Of the coordinates that carries the meta-gradient.
        scaling: Random scaling of the coordinates.
        state_dtype: Precision of the rule's state between steps.
        imitation: Fraction of the epochs that follow Adam instead.
        estimator: "tbptt" or "pes".
        validate_every: Epochs between two validations.
        validation_instances: Held-out instances.
        checkpoint: A file from which a killed run continues.
        log: A TensorBoard folder.
        progress: Show a progress bar.

    Returns:
        The tuned rule as a model, and the course of its training.

    Raises:
        L2OError: As `meta_train` and `Equation` do; ConfigError for a rule without a number to tune.

    Example:
        >>> from l2o_core import tasks
        >>> options = {"epochs": 2, "steps": 10, "unroll": 5, "progress": False}
        >>> tuned, history = tune("-0.003 * g[0] - 0.001 * g[1]", tasks.load("p1"), **options)
        >>> len(tuned.equation.constants)
        2
    """
    config = TrainingConfig(
        seed=seed,
        epochs=epochs,
        steps=steps,
        unroll=unroll,
        instances=instances,
        lr=lr,
        decay=decay,
        clip=clip,
        fraction=fraction,
        scaling=scaling,
        state_dtype=state_dtype,
        imitation=imitation,
        estimator=estimator,
        validate_every=validate_every,
        validation_instances=validation_instances,
    )
    tuned = own_equation(rule)
    for module, name in _trained(tuned):
        parametrize.register_parametrization(module, name, _Relative(getattr(module, name)))
    history = train(tuned, task, config, checkpoint=checkpoint, log=log, progress=progress)
    for module, name in _trained(tuned):
        parametrize.remove_parametrizations(module, name)
    return tuned, history


class _Relative(nn.Module):
    """Numbers in units of what they were at first; those that were 0, of the others' mean magnitude."""

    unit: Tensor

    def __init__(self, first: Tensor):
        super().__init__()
        magnitudes = first.detach().abs()
        mean = magnitudes.mean() if magnitudes.any() else torch.ones(())
        self.register_buffer("unit", torch.where(magnitudes > 0, first.detach(), mean))

    def forward(self, relative: Tensor) -> Tensor:
        return relative * self.unit

    def right_inverse(self, value: Tensor) -> Tensor:
        return value / self.unit


def _trained(equation: Equation) -> list[tuple[nn.Module, str]]:
    """The constants, the coefficients, and the powers of n_hat: where there are any."""
    parts: list[tuple[nn.Module, str]] = [(equation, "constants")] if equation.rule.constants else []
    parts += [(equation, "coefficients")]
    if isinstance(equation.features, nn.Module):
        parts += [(equation.features, name) for name in ("k", "l", "alpha")]
    return [(module, name) for module, name in parts if getattr(module, name) is not None]
