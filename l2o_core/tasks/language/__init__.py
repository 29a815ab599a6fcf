"""Instruction tuning: causal language models that learn to answer, whole or by LoRA, with any optimizer."""

from .answering import answer
from .instructions import Instruction, Instructions, load
from .lora import LoRA
from .models import LanguageModel, load_model
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
