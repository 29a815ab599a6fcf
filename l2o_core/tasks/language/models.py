"""What all causal language models with their tokenizers can do."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any

from torch import nn

from ...storage import digest
from .instructions import Instruction
from .lora import LoRA

IGNORED = -100
"""The label of what is not the answer, as PyTorch's losses have it."""


class LanguageModel(ABC):
    """A causal language model and its tokenizer, as `load_model` gives it.

    Its networks map tokens `[B, T]` to scores `[B, T, V]` of the token that follows each of them; what comes
    after a token has no part in its scores. Rows are therefore padded at their ends, without a mask.
    """

    title: str
    """The model for titles and records, which say that it is a stand-in where it is one."""
    end: int
    """The token that ends an answer."""
    context: int
    """The most tokens of a row."""

    @abstractmethod
    def prompt(self, question: str) -> list[int]:
        """The tokens of a question in the model's template, up to where its answer begins.

        Args:
            question: The instruction.
        """

    @abstractmethod
    def tokens(self, text: str) -> list[int]:
        """The tokens of a plain text.

        Args:
            text: Such as an answer.
        """

    @abstractmethod
    def text(self, tokens: list[int]) -> str:
        """The text of tokens.

        Args:
            tokens: Such as those of an answer.
        """

    @property
    @abstractmethod
    def vocabulary(self) -> dict[str, Any]:
        """What tells its tokenizer and template from others."""

    @cached_property
    @abstractmethod
    def untrained(self) -> nn.Module:
        """The network as it comes. It is shared: `network` makes a copy that can be trained."""

    @cached_property
    def identity(self) -> dict[str, Any]:
        """Tokenizer, template and weights, as a key for `storage.Cache`."""
        weights = digest(dict(self.untrained.state_dict()))
        return {"model": self.title, "weights": weights, "vocabulary": digest(self.vocabulary)}

    def network(self, lora: LoRA | None = None, seed: int = 0) -> nn.Module:
        """A copy of the network to train: all of it, or frozen, with the matrices of LoRA.

        Args:
            lora: The change that is trained; None: all weights are.
            seed: Of LoRA's matrices.

        Raises:
            ConfigError: As `LoRA.apply` does.
        """
        frozen = {id(p): p for p in self.untrained.parameters()} if lora else {}  # one memory for all copies
        made = copy.deepcopy(self.untrained, frozen)
        if lora:
            lora.apply(made, seed)
            return made
        return made.requires_grad_()  # LoRA has frozen what copies share

    def encode(self, row: Instruction, length: int) -> tuple[list[int], list[int]]:
        """The tokens of an instruction with its answer, and the labels: -100 wherever it is not the answer.

        Args:
            row: The instruction.
            length: Most tokens; the end of a longer row is cut.
        """
        asked, said = self.prompt(row.question), [*self.tokens(row.answer), self.end]
        return (asked + said)[:length], ([IGNORED] * len(asked) + said)[:length]
