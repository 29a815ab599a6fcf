"""Known update rules, as equations: `zoo.yml` is the collection, this module reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from .. import features, plain_yaml
from ..errors import ConfigError, did_you_mean

if TYPE_CHECKING:  # imported where equations are parsed: the zoo is read without PyTorch
    from ..expressions import Expression, System

__all__ = [
    "HYPERPARAMETERS",
    "Rule",
    "get",
    "names",
]

HYPERPARAMETERS = ("beta1", "beta2", "eps", "weight_decay", "total_steps")
"""Names that may stand in an equation as numbers, and have a value in every rule."""


@dataclass(frozen=True)
class Rule:
    """A rule of the zoo: theta <- theta + lr * equation.

    Attributes:
        name: Its name in the zoo.
        text: The direction that is added, times lr, to the parameters, as text.
        source: Where it was published.
        use: When to use it, in a phrase.
        note: Facts to know before use, and when not to use it.
        defaults: Hyper-parameters for `SymbolicOptimizer`, by name.

    Example:
        >>> get("adam").equation
        parse('-m[0] / (sqrt(v[0]) + eps)')
    """

    name: str
    text: str
    source: str
    use: str
    note: str
    defaults: Mapping[str, float | bool]

    @cached_property
    def equation(self) -> Expression | System:
        """The direction that is added, times lr, to the parameters."""
        from ..expressions import parse_rule

        return parse_rule(self.text)

    @property
    def unpublished(self) -> tuple[str, ...]:
        """Coefficients in the equation whose values were not published; give them by keyword.

        Example:
            >>> get("syml2o_eq6").unpublished[:3]
            ('gamma', 'a0', 'a1')
        """
        found = dict.fromkeys(re.findall(r"\b[a-z]\w*\b(?!\()", self.text))
        states = re.findall(r"\b([a-z]\w*)\s*=", self.text)
        known = {*features.NAMES, *HYPERPARAMETERS, "u", "theta", *states}
        return tuple(name for name in found if name not in known)


def names() -> tuple[str, ...]:
    """The names of all rules.

    Example:
        >>> names()[:3]
        ('sgd', 'momentum', 'nesterov')
    """
    return tuple(_load())


def get(name: str) -> Rule:
    """The rule of that name.

    Args:
        name: One of `names()`.

    Returns:
        The rule: equation, source, note and default hyper-parameters.

    Raises:
        ConfigError: If the zoo has no rule of that name.

    Example:
        >>> get("lion").defaults["lr"]
        0.0001
    """
    try:
        return _load()[name]
    except KeyError:
        hint = did_you_mean(name, names(), "`l2o zoo` lists them")
        raise ConfigError(f"no rule {name!r} in the zoo; {hint}") from None


@cache
def _load() -> dict[str, Rule]:
    data = plain_yaml.read(Path(__file__).with_suffix(".yml"))
    return {name: Rule(name, fields.pop("equation"), **fields) for name, fields in data.items()}
