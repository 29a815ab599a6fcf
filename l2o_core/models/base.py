"""The interface of every optimizer that can be meta-trained."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Self

import torch
from torch import Tensor, nn

from ..errors import ConfigError
from ..features import Features, State
from .extra import ExtraFeatures

BLOCK = 8192  # coordinates advanced together on a CPU: temporaries stay in the cache, however many there are
LARGE_BLOCK = 1 << 22  # elsewhere: launches of kernels are what costs, and memory what bounds


class LearnedOptimizer(nn.Module, ABC):
    """An update rule shared by all coordinates: gradients [N] in, updates [N] out.

    The update is what is added, sign and step size included: :math:`x_{t+1} = x_t + u_t`. The state is a
    tuple of tensors, each `[N, ...]` or a scalar; it starts with the state of the features.

    A subclass sets `options` in its `__init__`: the named arguments that build the same architecture again.

    Args:
        features: Features of a coordinate's gradients, the inputs of the rule.

    Example:
        >>> from l2o_core import models
        >>> optimizer = models.Equation("-0.1 * g")
        >>> gradient = torch.tensor([1.0, -2.0])
        >>> update, state = optimizer(gradient, optimizer.init_state(gradient))
        >>> update
        tensor([-0.1000,  0.2000], grad_fn=<ExpandBackward0>)
    """

    features: Features | ExtraFeatures
    options: dict[str, Any]
    bound: float | None = None
    """The largest update of a coordinate in one step; None where there is none."""

    def __init__(self, features: Features | ExtraFeatures):
        super().__init__()
        self.features = features

    def __getattr__(self, name: str) -> Any:
        if name == "options":
            raise ConfigError(
                f"{type(self).__name__} has no options: set self.options in its __init__ to a dictionary of "
                "the arguments that build the same architecture again"
            )
        return super().__getattr__(name)

    @property
    def identity(self) -> dict[str, Any]:
        """Architecture, options and weights, on which all updates depend, as a key for `storage.Cache`."""
        return {
            "architecture": type(self).__name__,
            "options": self.options,
            "weights": self.state_dict(),
        }

    def init_state(self, like: Tensor, state_dtype: torch.dtype | None = None) -> State:
        """The state before the first gradient.

        Args:
            like: A tensor with the shape, precision and device of the gradients, `[N]`.
            state_dtype: Precision of the state's wide parts `[N, k]`, such as `torch.float16` for very many
                coordinates; None: that of `like`. Parts `[N]` stay as they are.
        """
        if state_dtype is None:
            return self.features.init(like) + self.init_memory(like)

        def repeat(part: Tensor) -> Tensor:
            if part.dim() == 0:
                return part
            dtype = part.dtype if part.dim() == 1 else state_dtype
            repeated = torch.empty(*part.shape[1:], len(like), dtype=dtype, device=like.device)
            return repeated.copy_(part.movedim(0, -1)).movedim(-1, 0)

        return tuple(repeat(part) for part in self.init_state(like[:1]))  # all coordinates start alike

    def forward(self, g: Tensor, state: State) -> tuple[Tensor, State]:
        """One step: gradient `[N]` and state in, update `[N]` and next state out."""
        split = len(self.features.state_names)
        inputs, seen = self.features.step(g, state[:split])
        update, memory = self.update(inputs, state[split:])
        return update, seen + memory

    @torch.no_grad()
    def advance(self, g: Tensor, state: State) -> tuple[Tensor, State]:
        """`forward` without a graph, in little memory: the state's own tensors are overwritten."""
        update, scalars = torch.empty_like(g), state
        for block in blocks(len(g), BLOCK if g.device.type == "cpu" else LARGE_BLOCK):
            update[block], new = self(g[block], select(state, block, g.dtype))
            self.overwrite(state, block, new)
            scalars = new
        return update, tuple(a if a.dim() else b for a, b in zip(state, scalars, strict=True))

    def overwrite(self, state: State, block: slice, new: State) -> None:
        """Put the next state of a block of coordinates where their state was."""
        for part, value in zip(state, new, strict=True):
            if part.dim():
                part[block] = value

    def place(self, state: State, params: Tensor) -> State:
        """The state once a task has put the parameters at `params` `[N]`, in units of the updates.

        Where constraints move parameters back, they are not where the updates led. The state itself, but for
        optimizers that read the parameters.
        """
        return state

    def on(self, device: torch.device) -> Self:
        """The optimizer itself, if it is on the device, else a copy of it there."""
        here = all(tensor.device == device for tensor in (*self.parameters(), *self.buffers()))
        return self if here else copy.deepcopy(self).to(device)

    def sample_gates(self, generator: torch.Generator | None) -> None:
        """Sample stochastic gates and hold them until the next call; None selects their expected value."""

    def penalty(self) -> Tensor | None:
        """Differentiable sparsity penalty that is added to the meta-loss, or None."""
        return None

    @abstractmethod
    def init_memory(self, like: Tensor) -> State:
        """The rule's own part of the state before the first step, beside that of the features."""

    @abstractmethod
    def update(self, inputs: Tensor, memory: State) -> tuple[Tensor, State]:
        """The rule: features `[N, F]` and memory in, update `[N]` and next memory out."""


def placed(optimizer: LearnedOptimizer, device: torch.device) -> LearnedOptimizer:
    """The optimizer on a device; ConfigError for what is none, such as the name or the text of a rule."""
    if not isinstance(optimizer, LearnedOptimizer):
        raise ConfigError(
            f"a learned optimizer is wanted, not a {type(optimizer).__name__}; models.load(NAME) reads one, "
            "models.Equation(TEXT) makes one of a rule"
        )
    return optimizer.on(device)


def blocks(length: int, size: int) -> Iterator[slice]:
    """Slices of at most `size` that cover `length` coordinates."""
    return (slice(start, min(start + size, length)) for start in range(0, length, size))


def select(state: State, coordinates: Tensor | slice, dtype: torch.dtype) -> State:
    """The state of some coordinates only, as `dtype`; scalars are shared by all."""
    return tuple(part if part.dim() == 0 else part[coordinates].to(dtype) for part in state)


def detach(state: State) -> State:
    """The same state without its graph."""
    return tuple(part.detach() for part in state)


def parameters_match(module: nn.Module, tensors: dict[str, Tensor]) -> bool:
    """Whether the tensors have the names and shapes of the module's own."""
    own = module.state_dict()
    return own.keys() == tensors.keys() and all(own[k].shape == torch.Size(tensors[k].shape) for k in own)
