"""The parameters that a notebook is run with: its own defaults, a profile, and what the user says."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from l2o_core.errors import ConfigError


def settings(root: Path, name: str, profile: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters one notebook is run with: of profile and changes, those it knows."""
    path = root / "profiles" / f"{profile}.yml"
    if not path.is_file():
        known = ", ".join(sorted(found.stem for found in path.parent.glob("*.yml")))
        raise ConfigError(f"no profile {profile!r} in {path.parent}; there are: {known}")
    source = root / "notebooks" / f"{name}.py"
    try:
        accepted = defaults(source.read_text(encoding="utf-8"))
    except (SyntaxError, ValueError) as error:
        raise ConfigError(
            f"the parameters cell of {source} must hold plain assignments of literals: {error}"
        ) from None
    own = path.parent / profile / f"{name}.yml"
    values = _read(path) | (_read(own) if own.is_file() else {})
    values |= {"profile": profile, **changes}
    return {key: value for key, value in values.items() if key in accepted}


def defaults(source: str) -> dict[str, Any]:
    """A notebook's parameters and their defaults: the plain assignments of its tagged cell (`py:percent`)."""
    import jupytext

    for cell in jupytext.reads(source, fmt="py:percent").cells:
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


def assignment(text: str) -> tuple[str, Any]:
    """The name and value of "K=V", the value read as YAML."""
    import yaml

    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise ConfigError(f"--parameter takes K=V, for example seed=3, not {text!r}")
    return name, yaml.safe_load(value)


def _read(path: Path) -> dict[str, Any]:
    import yaml

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path} must be a mapping of parameters")
    return values
