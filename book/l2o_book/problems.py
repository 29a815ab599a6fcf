"""The papers' problems as the book names them, stand-ins included."""

from __future__ import annotations

STAND_INS = {"digits": "p2"}
"""Problems of profile `quick`, each with the published problem whose optimizers work on it."""


def original(problem: str) -> str:
    """The published problem that this one stands in for: "digits" for "p2"; others are their own."""
    return STAND_INS.get(problem, problem)


def title(problem: str) -> str:
    """A problem's name in captions; a stand-in is named as one."""
    published = original(problem).upper()
    return published if problem == original(problem) else f"{problem}, in place of {published}"
