"""Instruction tuning: causal language models that learn to answer, whole or by LoRA, with any optimizer."""

from .answering import answer
from .instructions import Instruction, Instructions, load
from .loading import load_model
from .lora import LoRA
from .models import LanguageModel
from .tuning import Tuned, tune

__all__ = [
    "Instruction",
    "Instructions",
    "LanguageModel",
    "LoRA",
    "Tuned",
    "answer",
    "load",
    "load_model",
    "tune",
]
