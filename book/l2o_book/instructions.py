"""Instructions that come with the installation, a stand-in for Alpaca.

Questions name the functions of NumPy and PyTorch; answers are the first sentences of their manuals.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import torch

from l2o_core.tasks import language
from l2o_core.tasks.language import Instruction, Instructions

from . import sentences

MANUALS = "manuals"


def load(name: str, part: str) -> Instructions:
    """A part of the instructions in a file, or of the stand-in "manuals"."""
    return _manuals().part(part) if name == MANUALS else language.load(name, part)


@cache
def _manuals() -> Instructions:
    import numpy as np

    modules: list[Any] = [
        np,
        np.linalg,
        np.fft,
        torch,
        torch.linalg,
        torch.nn.functional,
        torch.nn,
        torch.Tensor,
    ]
    found: dict[str, Instruction] = {}
    for module in modules:
        title = module.__name__
        for name in sorted(vars(module)):
            if name[0] != "_" and (answer := _first_sentence(getattr(module, name, None))):
                found.setdefault(answer, Instruction(f"What does {title}.{name} do?", answer))
    return Instructions("first sentences of two manuals (stand-in for Alpaca)", tuple(found.values()))


def _first_sentence(documented: object) -> str:
    """The first sentence of four to twenty words in a manual, or nothing."""
    for paragraph in sentences.manual(documented).split("\n\n"):
        sentence = re.match(r"[A-Z][^`:>=_{}\\]+?\.(?=\s|$)", re.sub(r"\s+", " ", paragraph).strip())
        if sentence and 4 <= len(sentence[0].split()) <= 20:
            return sentence[0]
    return ""
