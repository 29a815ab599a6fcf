"""A small transformer on bytes, to be trained from scratch: what is left without any package."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from .models import LanguageModel

END, USER, ASSISTANT = 256, 257, 258  # after the bytes
WIDTH, HEADS, LAYERS, CONTEXT = 64, 4, 2, 256


class Tiny(LanguageModel):
    """The model "tiny": its tokens are bytes and three marks, its weights random, the same ones each time."""

    title = "a tiny transformer trained from scratch, stand-in for LLaMA-7B"
    end, context = END, CONTEXT

    def prompt(self, question: str) -> list[int]:
        """The question between two marks."""
        return [USER, *self.tokens(question), ASSISTANT]

    def tokens(self, text: str) -> list[int]:
        """The bytes of a text."""
        return list(text.encode("utf-8", errors="replace"))

    def text(self, tokens: list[int]) -> str:
        """The text of bytes, without marks and without bytes that are no text."""
        return bytes(token for token in tokens if token < END).decode("utf-8", errors="ignore")

    @property
    def vocabulary(self) -> dict[str, Any]:
        """Bytes and marks."""
        return {"bytes": 256, "marks": [END, USER, ASSISTANT]}

    @cached_property
    def untrained(self) -> nn.Module:
        """The network with random weights."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return Transformer()


class Transformer(nn.Module):
    """Two layers of causal attention on bytes, normalised before each part; 133 thousand weights."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes, self.places = nn.Embedding(ASSISTANT + 1, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH)
        for embedding in (self.bytes, self.places):
            nn.init.normal_(embedding.weight, std=0.05)

    def forward(self, tokens: Tensor) -> Tensor:
        """Scores `[B, T, V]` of the token after each of `tokens [B, T]`."""
        x = self.bytes(tokens) + self.places.weight[: tokens.shape[1]]
        for layer in self.layers:
            x = layer(x)
        return self.norm(x) @ self.bytes.weight.T


class Layer(nn.Module):
    """Causal attention, then a perceptron; each adds to what it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.between = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.perceptron = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        """From `[B, T, width]` to the same."""
        normal = self.before(x)
        q, k, v = (
            part(normal).unflatten(-1, (HEADS, -1)).transpose(1, 2)
            for part in (self.q_proj, self.k_proj, self.v_proj)
        )
        seen = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.o_proj(seen.transpose(1, 2).flatten(-2))
        return x + self.perceptron(self.between(x))
