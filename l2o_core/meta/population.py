"""Many rules at work side by side: each on a copy of its own of the same instances."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..arguments import whole
from ..errors import ConfigError
from ..expressions import Expression, System
from ..expressions.compilation import compile_equations
from ..expressions.system import PARAMETER, UPDATE
from ..features import NAMES, Features, State
from ..tasks.base import Task
from .given import one_task, several_rules

Rule = Expression | System
COORDINATES = 1 << 21
"""Coordinates of the rules that run together on a CPU; elsewhere many more."""


def evaluate_rules(
    rules: Sequence[str | Expression | System],
    task: Task,
    *,
    steps: int,
    instances: int = 1,
    seed: int = 0,
    **hyperparameters: float | None,
) -> Tensor:
    """Optimize the same instances of a task with each of many rules: `evaluate`, many times as fast.

    Rules of one form, which differ in constants only, are computed together.

    Args:
        rules: The rules, whose values are added to the parameters.
        task: The optimizee; its batches are tuples of tensors `[I, ...]`, or it has a `share` of its own.
        steps: Optimizee steps.
        instances: The number I of instances, the same for every rule.
        seed: Of starting points and batches.
        hyperparameters: Those of the features that rules read, by name, as `Features.hyperparameters` has
            them: beta1, beta2, eps, bias_correction, total_steps, and the six numbers of n_hat.

    Returns:
        Losses `[K, I, steps + 1]` of K rules, on the CPU; from where a run diverges, they are not finite.

    Raises:
        ConfigError: For a rule with a name that has no value, a negative number of steps, no instance, a seed
            that is no whole number, an unknown hyper-parameter, what is no task or no rule, and a task with
            batches of its own kind that has no `share`.

    Example:
        >>> from l2o_core import tasks
        >>> losses = evaluate_rules(["-0.01 * g", "-0.001 * g"], tasks.load("p1"), steps=5, instances=3)
        >>> losses.shape
        torch.Size([2, 3, 6])
    """
    steps, instances = whole("steps", steps, 0), whole("instances", instances, 1)
    parsed, task = several_rules(rules), one_task(task)
    together = max(1, COORDINATES // (instances * task.n)) if task.device.type == "cpu" else len(parsed)
    found = []
    for first in range(0, len(parsed), together):
        population = Population(parsed[first : first + together], task, instances, seed, hyperparameters)
        population.run(steps)
        found.append(population.losses)
    return torch.cat(found) if found else torch.empty(0, instances, steps + 1)


class Population:
    """K rules on I instances each, from the same starts, with the same batches.

    Args:
        rules: The rules.
        task: The optimizee.
        instances: The number I of instances.
        seed: Of starting points and batches.
        hyperparameters: Those of the features, by name.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        task: Task,
        instances: int,
        seed: int,
        hyperparameters: Mapping[str, Any] | None = None,
    ):
        by_form: dict[Rule, list[int]] = {}
        for row, rule in enumerate(rules):
            by_form.setdefault(rule.with_constants([1.0] * len(rule.constants)), []).append(row)
        order = [row for rows in by_form.values() for row in rows]
        generator = task.generator(seed)
        params = task.init(generator, instances)
        self.task, self._batches = task, task.batches(generator, instances)
        self._params = params.repeat(len(rules), 1, 1).view(len(rules), instances, task.n)
        like, first = self._params.flatten(1), 0
        self._groups = []
        for form, rows in by_form.items():
            constants = torch.tensor([rules[row].constants for row in rows]).to(params)
            part = like[first : first + len(rows)]
            features = Features.of(_read(form), hyperparameters or {})
            self._groups.append(_Group(form, constants, part, features))
            first += len(rows)
        self._rows = torch.tensor(order, dtype=torch.long)  # positions in the list of rules, by form
        self._losses: list[Tensor] = []
        self._gradient = torch.empty(0)
        self._evaluate()

    @property
    def losses(self) -> Tensor:
        """The losses so far `[K, I, steps + 1]`, in the order of the rules that are still at work."""
        return torch.stack(self._losses, dim=-1).cpu()[self._rows.argsort()]

    @property
    def at_work(self) -> list[int]:
        """The positions of the rules that are still at work, rising: those of `losses`."""
        return sorted(self._rows.tolist())

    @torch.no_grad()
    def run(self, steps: int) -> None:
        """Let every rule take some more steps."""
        for _ in range(steps):
            first = 0
            for group in self._groups:
                rows = slice(first, first + group.size)
                params = self._params[rows].flatten(1)  # a view
                params += group.update(self._gradient[rows].flatten(1), params)
                first += group.size
            self._evaluate()

    def keep(self, rules: Sequence[int]) -> None:
        """Let only some of the rules go on, given by their positions."""
        kept = torch.isin(self._rows, torch.tensor(sorted(rules), dtype=torch.long))
        first = 0
        for group in self._groups:
            size = group.size
            group.keep(kept[first : first + size])
            first += size
        self._groups = [group for group in self._groups if group.size]
        self._rows = self._rows[kept]
        kept = kept.to(self._params.device)
        self._params, self._gradient = self._params[kept], self._gradient[kept]
        self._losses = [loss[kept] for loss in self._losses]

    def _evaluate(self) -> None:
        """Loss and gradient of all rules on the next batch, one instance after the other: none is copied.

        Parameters are first put where the task allows them to be, as in a rollout.
        """
        batch, count = next(self._batches), len(self._params)
        self._gradient = torch.empty_like(self._params)
        losses = []
        for i in range(self._params.shape[1]):
            own, shared = self._params[:, i], self.task.share(batch, i, count)
            if (feasible := self.task.project(own, shared)) is not own:
                own.copy_(feasible)
            loss, self._gradient[:, i] = self.task.loss_and_gradient(own, shared)
            losses.append(loss)
        self._losses.append(torch.stack(losses, dim=-1))


class _Group:
    """Rules of one form with constants `[k, C]`, and their state, on coordinates as in `like` `[k, M]`."""

    def __init__(self, form: Rule, constants: Tensor, like: Tensor, features: Features):
        self.constants = constants.T.unsqueeze(-1)  # [C, k, 1]
        self.features = features
        self.state: State = features.init(like)
        seen = [variable for variable in form.variables if variable.name in features.names]
        self.seen = {str(variable): (variable.name, variable.steps_ago) for variable in seen}
        longest = max((lag for _, lag in self.seen.values()), default=0)
        zero = torch.zeros_like(like)
        self.history = deque([dict.fromkeys(features.names, zero)] * (longest + 1), maxlen=longest + 1)
        self.own = {name: deque([zero] * lag, maxlen=lag) for name, lag in form.memory.items()}
        self._step = compile_equations(form.equations, differentiable=False)

    @property
    def size(self) -> int:
        """The number k of rules."""
        return self.constants.shape[1]

    def update(self, gradient: Tensor, params: Tensor) -> Tensor:
        """The updates `[k, M]`, and all that the rules remember is one step older."""
        now, self.state = self.features.step_dict(gradient, self.state)
        self.history.appendleft(now)
        values: dict[str, Any] = {name: self.history[lag][part] for name, (part, lag) in self.seen.items()}
        for name, past in self.own.items():
            values |= {f"{name}[{lag}]": value for lag, value in enumerate(past, start=1)}
        values |= {PARAMETER: params, f"{PARAMETER}[0]": params}
        found = self._step(values, self.constants)
        for name, past in self.own.items():
            past.appendleft(found[name].expand_as(params))
        return found[UPDATE]

    def keep(self, kept: Tensor) -> None:
        """Forget the other rules; `kept` is `[k]`."""
        self.constants = self.constants[:, kept.to(self.constants.device)]
        count = len(kept)

        def chosen(value: Tensor) -> Tensor:
            return value[kept.to(value.device)] if value.dim() == 2 and len(value) == count else value

        self.state = tuple(chosen(part) for part in self.state)
        for past in self.own.values():
            past.extendleft([chosen(value) for value in reversed([*past])])
        ages = [{name: chosen(value) for name, value in age.items()} for age in self.history]
        self.history.extendleft(reversed(ages))


def _read(rule: Rule) -> tuple[str, ...]:
    """The features that a rule reads; ConfigError for a name that is none."""
    names = dict.fromkeys(variable.name for variable in rule.variables)
    unknown = [name for name in names if name not in (*NAMES, UPDATE, PARAMETER)]
    if unknown:
        raise ConfigError(f"{unknown[0]} is no feature and has no value in the rule {rule!s:.60}")
    return tuple(name for name in names if name in NAMES)
