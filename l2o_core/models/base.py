"""What every optimizer that can be meta-trained has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from ..features import Features, State

BLOCK = 8192  # coordinates advanced together: temporaries stay in the cache, however many there are


class LearnedOptimizer(nn.Module, ABC):
    """An update rule shared by all coordinates: gradients [N] in, updates [N] out.

    `x_{t+1} = x_t + update_t`: the update is what is added, sign and step size included. The state is a
    tuple of tensors, each [N, ...] or a scalar; it starts with the state of the features. `options` build
    the same model again.
    """

    options: dict

    def __init__(self, features: Features):
        super().__init__()
        self.features = features

    @property
    def identity(self) -> dict[str, Any]:
        """All that its updates depend on: architecture, options and weights; a key for `storage.Cache`."""
        return {
            "architecture": type(self).__name__,
            "options": self.options,
            "weights": self.state_dict(),
        }

    def init_state(self, like: Tensor) -> State:
        """The state before the first gradient, for coordinates shaped like `like` [N]."""
        return self.features.init(like) + self.init_memory(like)

    def init_compact(self, like: Tensor) -> State:
        """The same state with its wide parts [N, ...] in float16, for very many coordinates."""

        def spread(part: Tensor) -> Tensor:
            if part.dim() == 0:
                return part
            dtype = part.dtype if part.dim() == 1 else torch.float16
            repeated = torch.empty(*part.shape[1:], len(like), dtype=dtype, device=like.device)
            return repeated.copy_(part.movedim(0, -1)).movedim(-1, 0)

        return tuple(spread(part) for part in self.init_state(like[:1]))  # all coordinates start alike

    def forward(self, g: Tensor, state: State) -> tuple[Tensor, State]:
        """One step: gradient [N] and state in, update [N] and next state out."""
        split = len(self.features.buffers)
        inputs, seen = self.features.step(g, state[:split])
        update, memory = self.update(inputs, state[split:])
        return update, seen + memory

    @torch.no_grad()
    def advance(self, g: Tensor, state: State) -> tuple[Tensor, State]:
        """`forward` without a graph, in little memory: the state's own tensors are overwritten."""
        update, scalars = torch.empty_like(g), ()
        for start in range(0, len(g), BLOCK):
            block = slice(start, start + BLOCK)
            update[block], new = self(g[block], select(state, block, g.dtype))
            self.overwrite(state, block, new)
            scalars = new
        return update, tuple(a if a.dim() else b for a, b in zip(state, scalars, strict=True))

    def overwrite(self, state: State, block: slice, new: State) -> None:
        """Put the next state of a block of coordinates where their state was."""
        for part, value in zip(state, new, strict=True):
            if part.dim():
                part[block] = value

    def draw(self, generator: torch.Generator | None) -> None:
        """Settle what is random in the rule, until the next call; without a generator, at its mean."""

    def penalty(self) -> Tensor | None:
        """What training adds to the loss for the size of the rule, a scalar with a graph."""
        return None

    @abstractmethod
    def init_memory(self, like: Tensor) -> State:
        """What the rule itself remembers, before the first step."""

    @abstractmethod
    def update(self, inputs: Tensor, memory: State) -> tuple[Tensor, State]:
        """The rule: features [N, F] and memory in, update [N] and next memory out."""


def select(state: State, coordinates: Tensor | slice, dtype: torch.dtype) -> State:
    """The state of some coordinates only, as `dtype`; scalars are shared by all."""
    return tuple(part if part.dim() == 0 else part[coordinates].to(dtype) for part in state)


def detach(state: State) -> State:
    """The same state without its graph."""
    return tuple(part.detach() for part in state)


def parameters_match(model: nn.Module, tensors: dict[str, Tensor]) -> bool:
    """Whether the tensors have the names and shapes of the model's own."""
    own = model.state_dict()
    return own.keys() == tensors.keys() and all(own[k].shape == torch.Size(tensors[k].shape) for k in own)
