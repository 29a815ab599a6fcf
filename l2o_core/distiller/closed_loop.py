"""A rule along recorded trajectories, one step ahead or in closed loop.

*One step ahead*, the past updates that a rule reads (`u[1]`) are the recorded ones: that asks whether it
knows the next step. *In closed loop* they are its own: it gets the gradients alone, and has to find the
updates from the first step to the last, as it will when it runs. A rule can pass the first test and fail the
second, where its errors feed themselves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import DataError
from ..expressions import Expression, System
from ..expressions.compilation import compile_equations
from ..expressions.system import UPDATE
from .rows import r2
from .trajectories import Trajectories

LIMIT = 10.0
"""Updates are cut off here, in units of the largest recorded one: a rule that grows is just wrong."""
NUDGE = 1e-6
"""By which part of itself a constant is changed for a derivative."""


@dataclass(frozen=True)
class ClosedLoop:
    """Trajectories for a rule to follow; what `polish` and `trim` fit a rule to.

    Args:
        way: The trajectories.
        forced: One step ahead in place of closed loop.

    Raises:
        DataError: Where all updates are equal.

    Example:
        >>> import numpy as np
        >>> from l2o_core.expressions import parse_rule
        >>> g = torch.ones(4, 2)
        >>> way = Trajectories({"g": g}, -torch.tensor([[1.0, 1.5, 1.75, 1.875]] * 2).T, np.arange(2))
        >>> ClosedLoop(way).predict(parse_rule("0.5 * u[1] - g"))[:, 0].tolist()
        [-1.0, -1.5, -1.75, -1.875]
    """

    way: Trajectories
    forced: bool = False

    def __post_init__(self) -> None:
        if self.unit == 0:
            raise DataError("all recorded updates are equal: there is nothing to explain")

    @property
    def unit(self) -> float:
        """Standard deviation of the recorded updates, the unit of residuals."""
        return self.way.updates.std().item()

    def predict(self, rule: Expression | System, constants: Tensor | None = None) -> Tensor:
        """The rule's updates.

        Args:
            rule: The rule; its inputs are features of the trajectories and their lags, `t`, and its own past.
            constants: Other values of its constants, `[K, ...]`, each broadcast against `[N]`.

        Returns:
            The updates `[T, N]`, or `[T, ..., N]` for several sets of constants.

        Raises:
            DataError: If the rule reads what the trajectories do not hold.
        """
        read = {variable for variable in rule.variables if variable.name != UPDATE}
        if unknown := {v.name for v in read} - {*self.way.features, "t"}:
            there = ", ".join(self.way.features)
            raise DataError(f"the rule reads {min(unknown)}; the trajectories hold {there}")
        step = compile_equations(rule.equations)
        limit = LIMIT * self.way.updates.abs().max()
        zero = torch.zeros_like(self.way.updates[0])
        shape = zero.shape if constants is None else torch.broadcast_shapes(constants.shape[1:], zero.shape)
        past = {name: [zero] * lags for name, lags in rule.memory.items()}
        updates = []
        for t in range(self.way.steps):
            values: dict[str, Tensor] = {}
            for v in read:
                if v.name == "t":
                    values[str(v)] = zero + max(t + 1 - v.steps_ago, 0)
                else:
                    values[str(v)] = self.way.features[v.name][t - v.steps_ago] if t >= v.steps_ago else zero
            values |= {f"{name}[{k}]": x for name, parts in past.items() for k, x in enumerate(parts, 1)}
            now = step(values, constants)
            update = now[UPDATE].nan_to_num(nan=math.inf).clamp(-limit, limit).expand(shape)
            updates.append(update)
            kept: Mapping[str, Tensor] = now | {UPDATE: self.way.updates[t] if self.forced else update}
            past = {name: [kept[name], *parts[:-1]] for name, parts in past.items()}
        return torch.stack(updates)

    def loss(self, rule: Expression | System) -> float:
        """The mean squared error, in units of the updates' variance; 1 - R2, but for their mean."""
        error = ((self.predict(rule) - self.way.updates) / self.unit).square().mean().item()
        return error if math.isfinite(error) else math.inf

    def losses(self, rule: Expression | System, constants: Tensor) -> Tensor:
        """The loss for each of S sets of its constants `[K, S]`; infinite where it is no number."""
        error = (self.predict(rule, constants[..., None]) - self.way.updates[:, None]) / self.unit
        return error.square().mean((0, 2)).nan_to_num(nan=math.inf)

    def r2(self, rule: Expression | System) -> float:
        """Coefficient of determination over all steps and coordinates."""
        return r2(self.way.updates.flatten(), self.predict(rule).flatten())

    def linearise(self, rule: Expression | System, constants: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Residuals [n], their derivatives by the constants [K, n], and the mean square of the residuals.

        One run with a set of constants for each derivative: forward differences, which in double precision
        are as good here as a backward pass through all steps, and need no graph.
        """
        nudges = NUDGE * constants.abs().clamp_min(NUDGE)
        sets = torch.cat([constants[:, None], constants[:, None] + nudges.diag()], dim=1)  # [K, 1 + K]
        if len(constants):
            runs = self.predict(rule, sets[..., None]).movedim(-2, 0).flatten(1)
        else:
            runs = self.predict(rule).flatten()[None]
        residual = (runs[0] - self.way.updates.flatten()) / self.unit
        jacobian = (runs[1:] - runs[0]) / (self.unit * nudges[:, None])
        return residual, jacobian, residual.square().mean()
