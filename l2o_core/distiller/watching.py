"""Watching a PyTorch optimizer at work, so that it can be distilled: what it saw, and what it did."""

from __future__ import annotations

import math
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from .. import arguments
from ..errors import ConfigError, DataError
from ..features import Features
from .trajectories import Trajectories


class _Chosen(NamedTuple):
    """A parameter that is watched, its shape and group, and the coordinates that are kept."""

    parameter: Tensor
    shape: torch.Size
    group: dict[str, Any]
    at: Tensor


class Recording:
    """What an optimizer does while it is watched; made by `watch`.

    A recording ends, for a stated reason and without disturbing the training, at `stop`, after `max_steps`,
    and where a step cannot be told: with a closure, sparse or missing gradients, numbers that are not finite,
    or parameters that were replaced or resized.

    Args:
        optimizer: The optimizer to watch.
        per_layer: Coordinates that are kept of each parameter.
        seed: Of their choice.
        max_steps: Steps after which the recording ends.

    Attributes:
        ended: Why the recording has ended; empty while it goes on.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, per_layer: int, seed: int, max_steps: int):
        self.ended = ""
        self._per_layer, self._max_steps = per_layer, max_steps
        self._generator = np.random.default_rng(seed)
        self._chosen: list[_Chosen] = []
        self._before: tuple[list[Tensor], list[Tensor]] | None = None
        self._gradients: list[Tensor] = []
        self._changes: list[Tensor] = []
        self._rates: list[Tensor] = []
        self._hooks = [
            optimizer.register_step_pre_hook(self._look),
            optimizer.register_step_post_hook(self._note),
        ]

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: Any, trace: TracebackType | None) -> None:
        self.stop()

    @property
    def steps(self) -> int:
        """The number of steps that were recorded."""
        return len(self._changes)

    def stop(self) -> None:
        """End the recording; what was recorded stays."""
        self._end("stopped")
        for hook in self._hooks:
            hook.remove()

    def _end(self, why: str) -> None:
        """Look no more; the hooks stay, since one of them may be running."""
        self.ended = self.ended or why
        self._before = None

    def trajectories(self, features: Features | None = None, *, per_lr: bool = True) -> Trajectories:
        """What was recorded, for `distill_recurrent`, or as rows for `distill` by `Trajectories.windows`.

        Each coordinate counts as a rollout of its own: what is held out are other coordinates of the run.
        Changes are differences of parameters, hence as exact as these are; watch in double precision where
        steps are small against the parameters.

        Args:
            features: Features to compute from the gradients; default g, m_hat, g_hat.
            per_lr: Divide changes by the learning rate of their step, as rules of this book are written.

        Raises:
            DataError: If no step was recorded, or, with `per_lr`, a learning rate was 0 or there is none.
        """
        if not self.steps:
            raise DataError(f"no step was recorded{': ' * bool(self.ended)}{self.ended}")
        gradients, updates = torch.stack(self._gradients), torch.stack(self._changes)
        if per_lr:
            rates = torch.stack(self._rates)
            if rates.isnan().any():
                raise DataError("the optimizer has no learning rate: ask for changes with per_lr=False")
            if (rates == 0).any():
                step = int((rates == 0).any(1).nonzero()[0]) + 1
                raise DataError(f"the learning rate of step {step} was 0: ask for changes with per_lr=False")
            updates = updates / rates
        shown = features or Features(("g", "m_hat", "g_hat"))
        state, values = shown.init(gradients[0]), []
        for gradient in gradients:
            now, state = shown.step(gradient, state)
            values.append(now)
        layers = [np.full(len(at), f"parameter {k}") for k, (*_, at) in enumerate(self._chosen)]
        return Trajectories(
            dict(zip(shown.names, torch.stack(values).unbind(-1), strict=True)),
            updates,
            np.arange(gradients.shape[1]),
            np.concatenate(layers),
            shown.hyperparameters(),
        )

    def _choose(self, optimizer: torch.optim.Optimizer) -> None:
        """Draw coordinates of all parameters that have a gradient at the first step."""
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None and parameter.numel():
                    some = self._generator.permutation(parameter.numel())[: self._per_layer]
                    at = torch.from_numpy(np.sort(some)).to(parameter.device)
                    self._chosen.append(_Chosen(parameter, parameter.shape, group, at))

    def _look(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: dict[str, Any]) -> None:
        """Keep gradients and parameters as they are before a step."""
        if self.ended:
            return None
        if any(callable(x) for x in (*args, *kwargs.values()) if x is not optimizer):
            return self._end("a step with a closure computes gradients of its own")
        if not self._chosen:
            self._choose(optimizer)
        if not self._chosen:
            return self._end("no parameter has a gradient")
        gradients, parameters = [], []
        for k, (parameter, shape, group, at) in enumerate(self._chosen):
            gradient = parameter.grad
            if all(parameter is not other for other in group["params"]):
                return self._end(f"parameter {k} was replaced before step {self.steps + 1}")
            if parameter.shape != shape:
                return self._end(f"parameter {k} was resized before step {self.steps + 1}")
            if gradient is None:
                return self._end(f"parameter {k} has no gradient at step {self.steps + 1}")
            if gradient.is_sparse:
                return self._end(f"parameter {k} has a sparse gradient")
            gradients.append(gradient.detach().take(at).double().cpu())
            parameters.append(parameter.detach().take(at))
        self._before = gradients, parameters
        return None

    def _note(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: dict[str, Any]) -> None:
        """Keep what the step changed."""
        if self._before is None:
            return None
        gradients, parameters = self._before
        changes = [
            (parameter.detach().take(at).double() - before.double()).cpu()
            for (parameter, _, _, at), before in zip(self._chosen, parameters, strict=True)
        ]
        rates = [
            torch.full((len(at),), _rate(group), dtype=torch.float64) for _, _, group, at in self._chosen
        ]
        seen, change = torch.cat(gradients), torch.cat(changes)
        if not (seen.isfinite().all() and change.isfinite().all()):
            return self._end(f"step {self.steps + 1} has a gradient or a parameter that is not finite")
        self._gradients.append(seen)
        self._changes.append(change)
        self._rates.append(torch.cat(rates))
        if self.steps == self._max_steps:
            self._end(f"{self.steps} steps were recorded")
        return None


def _rate(group: dict[str, Any]) -> float:
    """The learning rate of a group, NaN where the optimizer has none."""
    rate = group.get("lr")
    return math.nan if rate is None else float(rate)


def watch(
    optimizer: torch.optim.Optimizer, *, per_layer: int = 10, seed: int = 0, max_steps: int = 1000
) -> Recording:
    """Watch any PyTorch optimizer while it trains, to distil the rule that it follows.

    The optimizer does what it does unwatched; of each step, gradients and changes of some coordinates are
    copied.

    Args:
        optimizer: Any optimizer whose `step` takes no closure.
        per_layer: Coordinates that are kept of each parameter that has a gradient at the first step.
        seed: Of their choice.
        max_steps: Steps after which the recording ends.

    Returns:
        The recording, which ends by `Recording.stop`, or at the end of a `with` block.

    Raises:
        ConfigError: For numbers out of range.

    Example:
        >>> x = torch.nn.Parameter(torch.ones(4).double())
        >>> sgd = torch.optim.SGD([x], lr=0.1, momentum=0.5)
        >>> with watch(sgd) as recording:
        ...     for _ in range(3):
        ...         x.grad = torch.ones_like(x)
        ...         sgd.step()
        >>> [round(u, 6) for u in recording.trajectories().updates[:, 0].tolist()]
        [-1.0, -1.5, -1.75]
    """
    per_layer = arguments.whole("per_layer", per_layer, 1)
    max_steps = arguments.whole("max_steps", max_steps, 1)
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise ConfigError(
            f"a PyTorch optimizer is wanted, not a {type(optimizer).__name__}; of a learned optimizer, "
            "distiller.record keeps what it does"
        )
    return Recording(optimizer, per_layer, arguments.seed("seed", seed), max_steps)
