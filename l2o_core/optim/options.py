"""What a parameter group says: its rule, hyper-parameters, coefficients and options, complete and checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch

from .. import features
from ..errors import ConfigError, did_you_mean
from ..expressions import Expression, System, parse_rule
from . import zoo
from ._compile.plan import names_of, number

DEFAULTS: Mapping[str, float | bool | None] = {
    "lr": 1e-3,
    "beta1": 0.9,
    "beta2": 0.999,
    "eps": 1e-8,
    "weight_decay": 0.0,
    "bias_correction": True,
    "total_steps": None,
}
"""Hyper-parameters where neither the user nor the zoo gives a value."""
OPTIONS: Mapping[str, Any] = {
    "compile": "auto",
    "lag_tolerance": None,
    "history_dtype": None,
    "moment_dtype": None,
}
"""How a rule runs, by default."""
HISTORY_TYPES = ("bfloat16", "float16", "float32", "float64")
MOMENT_TYPES = ("bfloat16", "float32", "float64")


def equation(rule: str | Expression | System) -> Expression | System:
    """The equation of a name from the zoo, of text or of an `Expression`."""
    if isinstance(rule, Expression | System):
        return rule
    return zoo.get(rule).equation if rule in zoo.names() else parse_rule(rule)


def completed(rule: str | Expression | System, *layers: Mapping[str, Any]) -> dict[str, Any]:
    """All that a group says: what the last layer gives, else one before, else the zoo, else the defaults.

    Raises ConfigError for `betas` that contradict beta1 or beta2.
    """
    known = zoo.get(rule).defaults if isinstance(rule, str) and rule in zoo.names() else {}
    rule = equation(rule)
    values: dict[str, Any] = {**DEFAULTS, **OPTIONS, **known}
    if "n_hat" in {variable.name for variable in rule.variables}:
        values = dict(zip(features.POWERS, features.Features(()).powers, strict=True)) | values
    for layer in layers:
        values |= _given(layer)
    if "compact" in values.keys() - set(names_of(rule)):
        raise ConfigError("the option compact is now named lag_tolerance")
    if "momentum" in values.keys() - set(names_of(rule)):
        raise ConfigError("momentum has no use in this rule; its decay rate is beta1")
    return values | {"rule": str(rule), "betas": (values["beta1"], values["beta2"])}


def named_later(group: dict[str, Any], given: Mapping[str, Any]) -> str:
    """The equation of the zoo's rule that a group names since it was made; numbers that it lacks are set.

    Raises ConfigError where the group has other numbers than the rule has in the zoo, or in `given`: whose
    they are, the old rule's or the user's, nobody knows.
    """
    name = group["rule"]
    whole = completed(name, given)
    wanted = {key: whole[key] for key in (*zoo.get(name).defaults, *features.POWERS) if key in whole}
    wanted.pop("lr", None)
    if other := {key: value for key, value in wanted.items() if group.setdefault(key, value) != value}:
        there = ", ".join(f"{key}={group[key]}" for key in other)
        here = ", ".join(f"{key}={value}" for key, value in other.items())
        raise ConfigError(
            f"a group was given the rule {name!r}, whose values are {here}, and has {there}: give it these "
            f"too, or the equation in place of the name, zoo.get({name!r}).text"
        )
    return str(whole["rule"])


def _given(layer: Mapping[str, Any]) -> dict[str, Any]:
    """What a layer gives, with `betas` as beta1 and beta2; a hyper-parameter that is None is not given."""
    given = {name: value for name, value in layer.items() if value is not None or name in OPTIONS}
    if (betas := given.pop("betas", None)) is not None:
        pair = pair_of(betas)
        if given.keys() & {"beta1", "beta2"} and pair != (given.get("beta1"), given.get("beta2")):
            raise ConfigError("give betas=(beta1, beta2), or beta1 and beta2, not both")
        given |= zip(("beta1", "beta2"), pair, strict=True)
    for name in ("history_dtype", "moment_dtype"):
        if isinstance(given.get(name), torch.dtype):
            given[name] = str(given[name]).removeprefix("torch.")
    return given


def refuse_unused(names: Iterable[str], rule: Expression | System) -> None:
    """Raise ConfigError for the first of some coefficients that has no use in a rule."""
    powers = features.POWERS if "n_hat" in {variable.name for variable in rule.variables} else ()
    allowed = sorted({*DEFAULTS, *powers, *names_of(rule)})
    for name in sorted(set(names) - set(allowed)):
        hint = did_you_mean(name, allowed, f"it takes {', '.join(allowed)}")
        raise ConfigError(f"{name} has no use in this rule; {hint}")


def pair_of(betas: Any) -> tuple[float, float]:
    """beta1 and beta2. Raises ConfigError for anything but two numbers."""
    try:
        first, second = betas
        return number("beta1", first), number("beta2", second)
    except (TypeError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"betas must be two numbers, (beta1, beta2), not {betas}") from None


def check(group: Mapping[str, Any]) -> None:
    """Raise ConfigError for an option that makes no sense."""
    for name in ("lr", "weight_decay"):
        check_rate(name, group[name])
    for name, allowed in (("history_dtype", HISTORY_TYPES), ("moment_dtype", MOMENT_TYPES)):
        if group[name] not in (None, *allowed):
            raise ConfigError(f"{name} must be one of {', '.join(allowed)}")
    tolerance = group["lag_tolerance"]
    if tolerance is not None and not 0 < number("lag_tolerance", tolerance) < 1:
        raise ConfigError(f"lag_tolerance must lie between 0 and 1, not {tolerance}")
    if not isinstance(group["bias_correction"], bool):
        raise ConfigError(f"bias_correction must be True or False, not {group['bias_correction']!r:.60}")
    if group["compile"] not in (True, False, "auto"):
        raise ConfigError(f'compile must be True, False or "auto", not {group["compile"]!r:.60}')
    if number("eps", group["eps"]) < 0:
        raise ConfigError(f"eps must be 0 or larger, not {group['eps']}")
    steps = group["total_steps"]
    if steps is not None and not number("total_steps", steps) >= 1:
        raise ConfigError(f"total_steps must be 1 or more, not {steps}")


def check_rate(name: str, value: Any) -> float:
    """The value of lr or weight_decay as a number. Raises ConfigError where it makes no sense."""
    if isinstance(value, bool) or not hasattr(value, "__float__") or not 0 <= value < float("inf"):
        raise ConfigError(f"{name} must be 0 or larger and finite, not {value!r:.60}")
    return float(value)
