"""Instructions that come with the installation, a stand-in for Alpaca.

Questions name the functions of NumPy and PyTorch; answers are the first sentences of their manuals.
"""

from __future__ import annotations

import re
from functools import cache

from l2o_core.tasks import language
from l2o_core.tasks.language import Instruction, Instructions

from . import manuals

MANUALS = "manuals"


def load(name: str, part: str) -> Instructions:
    """A part of the instructions in a file, or of the stand-in "manuals"."""
    return _manuals().part(part) if name == MANUALS else language.load(name, part)


@cache
def _manuals() -> Instructions:
    found: dict[str, Instruction] = {}
    for manual in manuals.read().values():
        for place, docstrings in manual.items():
            for name, docstring in docstrings.items():
                if name[0] != "_" and (answer := _first_sentence(docstring)):
                    found.setdefault(answer, Instruction(f"What does {place}.{name} do?", answer))
    return Instructions("first sentences of two manuals (stand-in for Alpaca)", tuple(found.values()))


def _first_sentence(docstring: str) -> str:
    """The first sentence of four to twenty words, or nothing."""
    for paragraph in docstring.split("\n\n"):
        sentence = re.match(r"[A-Z][^`:>=_{}\\]+?\.(?=\s|$)", re.sub(r"\s+", " ", paragraph).strip())
        if sentence and 4 <= len(sentence[0].split()) <= 20:
            return sentence[0]
    return ""
