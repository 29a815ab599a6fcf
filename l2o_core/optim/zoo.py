"""Known update rules, as equations: `zoo.yml` is the collection, this reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

import yaml

from .. import features
from ..errors import ConfigError
from ..expressions import Expression, parse

HYPERPARAMETERS = ("beta1", "beta2", "eps", "weight_decay", "total_steps")
"""Names that have a value in every rule."""


@dataclass(frozen=True)
class Entry:
    """A rule: `equation` is the direction added (times lr) to the parameters.

    `defaults` are hyper-parameters for `SymbolicOptimizer`, `source` says where the rule was published,
    `note` what to know and when not to use it. Names in the equation that are neither features nor
    hyper-parameters are coefficients that were not published: give them by keyword.
    """

    name: str
    equation: Expression
    source: str
    note: str
    defaults: Mapping[str, float | bool]

    @property
    def open(self) -> tuple[str, ...]:
        """Coefficients that were not published: what the user has to give."""
        names = dict.fromkeys(variable.name for variable in self.equation.variables)
        return tuple(name for name in names if name not in {*features.NAMES, *HYPERPARAMETERS})


def names() -> tuple[str, ...]:
    """The names of all rules."""
    return tuple(_load())


def get(name: str) -> Entry:
    """The rule of that name; ConfigError names the known ones."""
    try:
        return _load()[name]
    except KeyError:
        raise ConfigError(f"no rule {name!r} in the zoo; known rules: {', '.join(names())}") from None


@cache
def _load() -> dict[str, Entry]:
    data = yaml.safe_load(resources.files(__package__).joinpath("zoo.yml").read_text(encoding="utf-8"))
    return {
        name: Entry(name, parse(fields["equation"]), fields["source"], fields["note"], fields["defaults"])
        for name, fields in data.items()
    }
