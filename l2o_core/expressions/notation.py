"""Sentences that belong beside a printed equation wherever an operator departs from school mathematics."""

from __future__ import annotations

from typing import NamedTuple

from .system import System
from .tree import Expression


class Convention(NamedTuple):
    """A sentence that says how an operator is to be read.

    Args:
        text: The sentence in plain text.
        latex: The same in LaTeX.
    """

    text: str
    latex: str


CONVENTIONS = {
    "sqrt": Convention(
        "sqrt(x) means sign(x) sqrt|x|", r"$\sqrt{x}$ means $\operatorname{sign}(x) \sqrt{\left|x\right|}$"
    ),
    "pow": Convention("x^y means sign(x) |x|^y", r"$x^y$ means $\operatorname{sign}(x) \left|x\right|^y$"),
    "log": Convention("log(x) means log|x|", r"$\log(x)$ means $\log\left|x\right|$"),
}
"""By operator; each is the usual function where its first argument is not negative."""

_NEVER_NEGATIVE = {"square", "abs", "exp", "relu", "erfc"}
_AS_ARGUMENTS = {"+", "*", "/", "min", "sqrt", "tanh", "asinh", "sinh", "sign"}


def conventions(*expressions: Expression | System) -> tuple[Convention, ...]:
    """The conventions that a reader of these equations has to know.

    Args:
        expressions: Equations that are printed together.

    Returns:
        One convention for each of `sqrt`, `pow` and `log` that meets an argument which may be negative.

    Example:
        >>> from l2o_core.expressions import parse
        >>> [convention.text for convention in conventions(parse("sqrt(g)"))]
        ['sqrt(x) means sign(x) sqrt|x|']
        >>> conventions(parse("g / sqrt(g^2 + 1)"))
        ()
    """
    found = set()

    def operator(name: str, *nonnegative: bool) -> bool:
        if name in CONVENTIONS and not nonnegative[0]:
            found.add(name)
        if name == "max":
            return any(nonnegative)
        if name == "pow":
            return nonnegative[0]
        return name in _NEVER_NEGATIVE or (name in _AS_ARGUMENTS and all(nonnegative))

    for _, value in (equation for expression in expressions for equation in expression.equations):
        value.fold(lambda variable: False, lambda value: value >= 0, operator)
    return tuple(convention for name, convention in CONVENTIONS.items() if name in found)
