"""The parameters that a notebook is run with: its own defaults, a profile, and what the user says."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from l2o_core import plain_yaml
from l2o_core.errors import ConfigError, did_you_mean

from . import percent

RESOURCES = "resources"
"""The key of a profile that is no parameter: what a worker must offer, such as `{GPU: 1}`."""


def settings(root: Path, name: str, profile: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that one notebook is given: those of `profile` and of `changes` that it has.

    Raises ConfigError for an unknown profile and for a value of another type than the notebook's default.
    """
    known = parameters(root, name)
    values = _profile(root, name, profile) | {"profile": profile, **plain_yaml.plain(changes)}
    for key in values.keys() & known.keys():
        try:
            values[key] = fitted(values[key], known[key])
        except ConfigError as error:
            source = "the command line" if key in changes else f"profile {profile!r}"
            raise ConfigError(f"{name}: parameter {key!r} {error} (from {source})") from None
    return {key: value for key, value in values.items() if key in known}


def resources(root: Path, name: str, profile: str) -> dict[str, float]:
    """The resources of a worker that one notebook needs at a profile, such as {"GPU": 1}."""
    found = _profile(root, name, profile).get(RESOURCES, {})
    amounts = found.values() if isinstance(found, dict) else [None]
    if not all(isinstance(amount, int | float) and not isinstance(amount, bool) for amount in amounts):
        raise ConfigError(f"{name}: resources of profile {profile!r} must be amounts such as {{GPU: 1}}")
    return found


def parameters(root: Path, name: str) -> dict[str, Any]:
    """The parameters of a notebook of the book, with their defaults."""
    source = root / "notebooks" / f"{name}.py"
    try:
        return defaults(source.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
        raise ConfigError(
            f"the parameters cell of {source} must hold plain assignments of literals: {error}"
        ) from None


def defaults(source: str) -> dict[str, Any]:
    """A notebook's parameters and their defaults: the plain assignments of its tagged cell (`py:percent`)."""
    for cell in percent.reads(source).cells:
        if cell.cell_type == "code" and "parameters" in cell.metadata.get("tags", []):
            found = {}
            for statement in ast.parse(cell.source).body:
                if not isinstance(statement, ast.Assign | ast.AnnAssign) or statement.value is None:
                    continue
                target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
                if isinstance(target, ast.Name):
                    found[target.id] = ast.literal_eval(statement.value)
            return found
    return {}


def fitted(value: Any, default: Any) -> Any:
    """`value` as the type of `default`; ConfigError if it is of another.

    An integer does for a float, and so does text such as "1e-3", which YAML does not read as a number. The
    items of a list are of the type of the default's first one. A default of None takes anything.
    """
    if default is None:
        return value
    if isinstance(default, float):
        if isinstance(value, int | float | str) and not isinstance(value, bool):
            with suppress(ValueError):
                return float(value)
    elif isinstance(default, list) and isinstance(value, list):
        return [fitted(item, default[0]) for item in value] if default else value
    elif type(value) is type(default):
        return value
    raise ConfigError(f"takes {KINDS.get(type(default), 'a value')} such as {default!r}, not {value!r}")


def assignment(text: str) -> tuple[str, Any]:
    """The name and value of "K=V", the value read as YAML."""
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise ConfigError(f"--parameter takes K=V, for example seed=3, not {text!r}")
    try:
        return name, plain_yaml.loads(value)
    except ValueError as error:
        raise ConfigError(f"--parameter {text[:100]}: the value is not valid YAML: {error}") from None


KINDS = {
    bool: "true or false,",
    int: "an integer",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "a mapping",
}


def _profile(root: Path, name: str, profile: str) -> dict[str, Any]:
    """A profile's values, those for one notebook going over those for all."""
    path = root / "profiles" / f"{profile}.yml"
    if not path.is_file():
        known = sorted(found.stem for found in path.parent.glob("*.yml"))
        raise ConfigError(f"no profile {profile!r} in {path.parent}; {did_you_mean(profile, known)}")
    own = path.parent / profile / f"{name}.yml"
    return _read(path) | (_read(own) if own.is_file() else {})


def _read(path: Path) -> dict[str, Any]:
    values = plain_yaml.read(path)
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path} must be a mapping of parameters")
    return values
