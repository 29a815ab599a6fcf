"""What was found beside Adam, on starts that neither has seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..errors import ConfigError, optional_import
from ..expressions import Expression, System
from ..meta.population import evaluate_rules
from ..meta.reference import mean_and_end
from ..meta.simplex import tune_without_gradients
from ..models.equation import Equation
from ..tasks.base import Task

ADAM = (
    "p = beta1 * p[1] + (1 - beta1) * g; q = beta2 * q[1] + (1 - beta2) * g^2; "
    "-lr * (p / (1 - beta1^t)) / (sqrt(q / (1 - beta2^t)) + 1e-8)"
)
USUAL = {"lr": 0.01, "beta1": 0.9, "beta2": 0.99}
LEVEL = 0.95


class Difference(NamedTuple):
    """A mean difference over starts, paired by start, and its 95 % interval.

    `verdict` is "lower" or "higher" where the interval lies below or above 0: the first side is so. Else it
    is "undecided".

    Args:
        mean: First side less second, the mean over starts.
        low: Lower end of the interval.
        high: Upper end.
    """

    mean: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """What the interval says."""
        return "lower" if self.high < 0 else "higher" if self.low > 0 else "undecided"

    def __str__(self) -> str:
        return f"{self.mean:+.4f} [{self.low:+.4f}, {self.high:+.4f}]: {self.verdict}"


def tuned_adam(
    tasks: Task | Sequence[Task], *, trials: int = 180, steps: int = 100, instances: int = 2, seed: int = 0
) -> tuple[Expression | System, dict[str, float]]:
    """Adam with the learning rate and betas that serve tasks best, of so many trials.

    Args:
        tasks: The optimizees, one or several at once.
        trials: Values of the three constants that are tried.
        steps: Optimizee steps of a run.
        instances: Instances of each task.
        seed: Of the instances and of the first trials.

    Returns:
        The rule, and its constants lr, beta1 and beta2.

    Raises:
        ConfigError: As `tune_without_gradients` has it, for no task among others.
    """
    options = {"trials": trials, "steps": steps, "instances": instances, "seed": seed}
    tuned, _ = tune_without_gradients(Equation(ADAM, USUAL), tasks, only=[*USUAL], **options)
    assert tuned.coefficients is not None
    return tuned.equation, dict(zip(USUAL, tuned.coefficients.tolist(), strict=True))


def evaluate_fresh(
    rules: Mapping[str, str | Expression | System],
    task: Task,
    *,
    steps: int = 100,
    starts: int = 20,
    seed: int = 0,
) -> dict[str, tuple[Tensor, Tensor]]:
    """Mean and end loss of each rule, from the same starts, with the same batches.

    A run that diverged counts as the worst number of any rule, or as the loss before any step where that is
    worse.

    Args:
        rules: By label.
        task: The optimizee, on the data that is reported on.
        steps: Optimizee steps.
        starts: Number of starts.
        seed: Of starts and batches.

    Returns:
        By label, mean loss over the steps and mean loss of their last tenth, `[starts]` each.

    Raises:
        ConfigError: For rules without labels, or as `evaluate_rules` has it.
    """
    if not isinstance(rules, Mapping):
        raise ConfigError(f'rules must be given by label, as {{"Adam": rule}}, not {rules!r:.60}')
    losses = evaluate_rules([*rules.values()], task, steps=steps, instances=starts, seed=seed)
    parts = mean_and_end(losses[:, :, None])  # every start on its own
    worst = [torch.cat([part[part.isfinite()], losses[..., 0].flatten()]).max().item() for part in parts]
    mean, end = (part.nan_to_num(bad, bad, bad) for part, bad in zip(parts, worst, strict=True))
    return {label: (mean[k], end[k]) for k, label in enumerate(rules)}


def difference(ours: Tensor, theirs: Tensor) -> Difference:
    """The difference of two sides paired by start, with its interval by Student's t.

    Args:
        ours: One number for each start, `[starts]`.
        theirs: The same of the other side.

    Raises:
        ConfigError: If the sides differ in length, or have fewer than two starts.

    Example:
        >>> print(difference(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([2.0, 3.1, 3.9])))
        -1.0000 [-1.2484, -0.7516]: lower
    """
    if ours.shape != theirs.shape:
        raise ConfigError(
            "a difference is paired by start: both sides must have as many starts, not "
            f"{[*ours.shape]} and {[*theirs.shape]}"
        )
    if ours.numel() < 2:
        raise ConfigError(f"a paired difference takes two starts or more, not {ours.numel()}")
    with optional_import("the interval of a difference", extra="distill"):
        from scipy import stats

    gaps = (ours - theirs).double().numpy()
    mean, error = gaps.mean(), gaps.std(ddof=1) / np.sqrt(len(gaps))
    half = stats.t.ppf((1 + LEVEL) / 2, len(gaps) - 1) * error
    return Difference(float(mean), float(mean - half), float(mean + half))
