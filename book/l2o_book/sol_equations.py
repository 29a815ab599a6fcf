"""SOL's equation: read out of a trained network, pruned, and as an optimizer of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from l2o_core import distiller
from l2o_core.expressions import Expression
from l2o_core.meta import History
from l2o_core.models import SOL, Equation
from l2o_core.tasks import Task

from .baselines import even_rates


@dataclass(frozen=True)
class Reading:
    """The equations of a trained SOL: `pruned` at each fraction, constants rounded to three digits.

    `nodes` are those before pruning, where the equation differs from the network by at most `difference` of
    the largest update.
    """

    pruned: list[Expression]
    nodes: int
    difference: float

    def described(self, place: int) -> dict[str, Any]:
        """One of the pruned equations for a record: its text, nodes before and after, and the difference."""
        rule = self.pruned[place]
        nodes = [self.nodes, rule.complexity]
        return {"equation": str(rule), "nodes": nodes, "difference": self.difference}


def read_out(sol: SOL, task: Task, fractions: Sequence[float], **options: Any) -> Reading:
    """The equations of a trained SOL on rows that it meets on a task.

    A weight is pruned if it contributes less than a fraction of the largest contribution to its unit.
    `options` are those of `distiller.collect`.
    """
    rows = distiller.collect(sol, task, lags=1, **options)
    x = torch.tensor(rows.inputs, dtype=torch.float32)
    formula = sol.equation.evaluate(dict(zip(sol.inputs, x.T, strict=True)))
    update = sol.update(x, ())[0].detach()
    return Reading(
        [sol.pruned(x, fraction).equation.rounded(3).simplify() for fraction in fractions],
        sol.equation.complexity,
        ((formula - update).abs().max() / update.abs().max()).item(),
    )


def course(history: History) -> dict[str, Any]:
    """A meta-training for a record: seconds, losses on held-out instances, and epochs that diverged."""
    return {"seconds": history.seconds, "validation": history.validation, "diverged": history.diverged}


def fractions(count: int) -> list[float]:
    """At which a network is pruned where so many prunings are trials: not at all, then ever more."""
    return [0.0, *even_rates(0.03, 0.5, count - 1)]


def shortest(rules: Sequence[Expression], scores: Sequence[float], within: float) -> int:
    """The place of the shortest rule whose score is at most so much below the highest."""
    good = [place for place, score in enumerate(scores) if score >= max(scores) - within]
    return min(good, key=lambda place: rules[place].complexity)


def optimizer(rule: Expression, steps: int) -> Equation:
    """An equation over SOL's inputs: moments as in PyTorch's Adam, decays that end after so many steps."""
    return Equation(rule, beta1=0.9, beta2=0.999, eps=1e-8, total_steps=steps)
