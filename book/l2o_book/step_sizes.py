"""Learning rates that mean the same for every optimizer.

A *rate* is a step size: with it, an optimizer's updates have the root mean square that AdamW's have with that
learning rate, on the same gradients. Rules that were distilled elsewhere come with steps of any size, so that
only then one range of rates is the same freedom for every contestant.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from l2o_core.models import Equation
from l2o_core.optim import SymbolicOptimizer
from l2o_core.tasks.text import LinearHead

Params = list[nn.Parameter]
Make = Callable[[Params, float, int], torch.optim.Optimizer]
"""Makes an optimizer of parameters, a learning rate, and the number of steps of the run."""
PROBED = 1e-3
"""AdamW's learning rate while step sizes are measured."""
PROBED_COORDINATES = 100_000
"""At most so many coordinates of a network are looked at."""


@dataclass(frozen=True)
class Rated:
    """An optimizer at any rate: `key` is all that its steps depend on, `unit` its learning rate at rate 1."""

    make: Make
    key: Any
    unit: float = 1.0

    def at(self, rate: float, steps: int) -> Callable[[Params], torch.optim.Optimizer]:
        """Makes the optimizer at a rate for a run of that many steps."""
        return lambda params: self.make(params, rate * self.unit, steps)


def adamw(params: Params, lr: float, steps: int) -> torch.optim.Optimizer:
    """PyTorch's AdamW, fused, with its weight decay of 0.01."""
    return torch.optim.AdamW(params, lr=lr, fused=True)


def rated(model: Callable[[int], Equation], gradients: Tensor, **options: Any) -> Rated:
    """An equation at any rate, its steps measured on `gradients [T, n]`.

    `model` gives the equation for a run of so many steps; `options` are those of `SymbolicOptimizer.of`.
    """

    def make(params: Params, lr: float, steps: int) -> torch.optim.Optimizer:
        return SymbolicOptimizer.of(model(steps), params, lr, **options)

    own = step_size(make, gradients)
    unit = step_size(adamw, gradients) / own if 0 < own < math.inf else 0.0  # a rule that does not move stays
    key = {"equation": model(100).identity, "options": {k: str(v) for k, v in options.items()}}
    return Rated(make, key, unit)


def step_size(make: Make, gradients: Tensor) -> float:
    """The root mean square of the updates along `gradients [T, n]`, in units of the learning rate."""
    total = sum(_mean_square(update) for update in _updates(make, gradients))
    return math.sqrt(total / len(gradients)) / PROBED


def _updates(make: Make, gradients: Tensor) -> Iterator[Tensor]:
    """The updates `[n]` of an optimizer along `gradients [T, n]`, at the probes' learning rate."""
    parameter = nn.Parameter(torch.zeros(gradients.shape[1]))
    optimizer = make([parameter], PROBED, len(gradients))
    for gradient in gradients:
        before, parameter.grad = parameter.detach().clone(), gradient.clone()
        optimizer.step()
        yield parameter.detach() - before


def _mean_square(values: Tensor) -> float:
    return values.square().mean().item()


def compacted(equation: Equation, gradients: Tensor, **options: Any) -> dict[str, Any]:
    """What options of `SymbolicOptimizer.of` do to an equation along `gradients [T, n]`.

    Its updates differ by "difference" of their root mean square. "lags" are those that running "sums"
    replace, with the largest possible "error" as a fraction of the largest update that these lags can make.
    """

    def make(how: Mapping[str, Any], params: Params, lr: float, _: int) -> SymbolicOptimizer:
        return SymbolicOptimizer.of(equation, params, lr, **how)

    apart = size = 0.0
    exact, compact = (_updates(partial(make, how), gradients) for how in ({}, options))
    for one, other in zip(exact, compact, strict=True):
        apart, size = apart + _mean_square(other - one), size + _mean_square(one)
    replaced = [
        {"lags": part.lags, "sums": len(part.decays), "error": part.error}
        for part in make(options, [nn.Parameter(torch.zeros(1))], PROBED, 1).replaced_lags
    ]
    return {"difference": math.sqrt(apart / size) if size else 0.0, "replaced": replaced}


def probe(task: LinearHead, steps: int = 60, seed: int = 0) -> Tensor:
    """The gradients `[T, n]` that AdamW sees while it trains a head."""
    generator = task.generator(seed)
    parameter, seen = nn.Parameter(task.init(generator)), []
    optimizer = adamw([parameter], PROBED, steps)
    for _, batch in zip(range(steps), task.batches(generator), strict=False):
        _, parameter.grad = task.loss_and_gradient(parameter, batch)
        seen.append(parameter.grad[0].clone())
        optimizer.step()
    return torch.stack(seen)


def watched(train: Callable[[Callable[[Params], torch.optim.Optimizer]], Any], steps: int) -> Tensor:
    """The gradients `[T, n]` that AdamW sees in a training, of coordinates evenly spread over a network.

    `train` trains for so many steps with the optimizer that its argument makes of the parameters.
    """
    seen: list[Tensor] = []

    def observed(params: Params) -> torch.optim.Optimizer:
        made = adamw(params, PROBED, steps)
        stride = math.ceil(sum(part.numel() for part in params) / PROBED_COORDINATES)

        def keep(*_: Any) -> None:
            whole = torch.cat([part.grad.flatten() for part in params if part.grad is not None])
            seen.append(whole[::stride].cpu().clone())

        made.register_step_pre_hook(keep)
        return made

    train(observed)
    return torch.stack(seen)
