"""GLUE: sentences to classify, pretrained encoders, whole or frozen, and their fine-tuning."""

from .costs import state_bytes
from .encoders import Encoder
from .fine_tuning import FineTuned, fine_tune, has_bfloat16
from .glue import GLUE, Benchmark, TextData, load
from .head import Head, LinearHead
from .scoring import official_scores
from .vectors import sentence_vectors

__all__ = [
    "GLUE",
    "Benchmark",
    "Encoder",
    "FineTuned",
    "Head",
    "LinearHead",
    "TextData",
    "fine_tune",
    "has_bfloat16",
    "load",
    "official_scores",
    "sentence_vectors",
    "state_bytes",
]
