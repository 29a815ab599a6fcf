"""The state of a meta-training between epochs, in memory and on disk."""

from __future__ import annotations

import copy
from dataclasses import asdict
from itertools import chain

import torch

from ..models.base import LearnedOptimizer
from ..storage import Checkpoint
from .history import History


class Progress:
    """The weights so far, the best of them, what happened, and the file that holds it all."""

    def __init__(
        self,
        optimizer: LearnedOptimizer,
        meta_optimizer: torch.optim.Optimizer,
        checkpoint: Checkpoint | None,
    ):
        self.optimizer, self.meta_optimizer, self.checkpoint = optimizer, meta_optimizer, checkpoint
        self.history, self.best = History(), copy.deepcopy(optimizer.state_dict())
        if checkpoint and (content := checkpoint.load()) is not None:
            try:
                self._resume(content)
            except (KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError) as error:
                raise checkpoint.damaged(f"{type(error).__name__}: {error}") from error

    def _resume(self, content: dict) -> None:
        """Take over what `save` wrote; any of several errors, and nothing changed, where it does not fit."""
        history = History(**content["history"])
        tried, adam = copy.deepcopy((self.optimizer, self.meta_optimizer))
        if not history.losses or not history.stages or not history.best:
            raise ValueError("no epoch has ended")
        pairs = chain(*history.validation, *history.stages)
        numbers = [history.seconds, *history.losses, *history.diverged, *history.imitated, *pairs]
        if not all(isinstance(number, int | float) for number in numbers):
            raise ValueError("its history holds what is no number")
        for weights in (content["best"], content["optimizer"]):
            tried.load_state_dict(weights)
        adam.load_state_dict(copy.deepcopy(content["meta_optimizer"]))
        for weight in tried.parameters():
            weight.grad = torch.zeros_like(weight)
        adam.step()  # moments of other shapes show in a step alone
        self.restore((content["optimizer"], content["meta_optimizer"]))
        self.history, self.best = history, content["best"]

    def snapshot(self) -> tuple[dict, dict]:
        """The weights and the moments of their Adam, copied."""
        return copy.deepcopy((self.optimizer.state_dict(), self.meta_optimizer.state_dict()))

    def restore(self, snapshot: tuple[dict, dict]) -> None:
        """Go back to a snapshot."""
        self.optimizer.load_state_dict(snapshot[0])
        self.meta_optimizer.load_state_dict(snapshot[1])

    def remember_best(self) -> None:
        """Copy the weights if the last validation was the best of its stage."""
        if self.history.validation[-1] == self.history.best:
            self.best = copy.deepcopy(self.optimizer.state_dict())

    def restore_best(self) -> None:
        """Go back to the best weights, with Adam's moments as they are."""
        self.optimizer.load_state_dict(self.best)

    def save(self) -> None:
        """Write the checkpoint, if there is to be one."""
        if self.checkpoint:
            weights, moments = self.snapshot()
            content = {"optimizer": weights, "meta_optimizer": moments, "best": self.best}
            self.checkpoint.save(content | {"history": asdict(self.history)})
