"""YAML files as plain values: what JSON can hold, and nothing else.

YAML knows more than that: tags that make Python objects, aliases by which a short text becomes a huge value,
dates, infinities. None of it belongs in a file of data, least of all in a profile, whose values become a cell
of a notebook.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import yaml

from .errors import ConfigError
from .storage import read_text

LARGEST = 100_000
"""Characters of a file; PyYAML reads some ten thousand in a second."""
DEEPEST = 50
"""Lists and mappings within each other."""


def read(path: Path, *, as_text: bool = False) -> Any:
    """The values of a file; ConfigError, with its name, for anything that is no plain YAML.

    With `as_text`, numbers and all other scalars are the text that stands in the file.
    """
    try:
        return loads(read_text(path, LARGEST), as_text=as_text)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{path} is no plain YAML: {error}; mend it, or take it from the repository"
        ) from None


def loads(text: str, *, as_text: bool = False) -> Any:
    """The values of a text; ConfigError for anything that is no plain YAML."""
    try:
        return plain(yaml.load(text, Loader=_Texts if as_text else _Plain))
    except yaml.MarkedYAMLError as error:
        where = f" (line {error.problem_mark.line + 1})" if error.problem_mark else ""
        raise ConfigError(f"{error.problem or error.context}{where}") from None
    except yaml.YAMLError as error:
        raise ConfigError(str(error).splitlines()[0]) from None
    except RecursionError:
        raise ConfigError("it is nested too deeply") from None


def plain(value: Any, depth: int = 0) -> Any:
    """The same value; ConfigError unless it is made of text, finite numbers, lists and mappings by text."""
    if depth > DEEPEST:
        raise ConfigError("it is nested too deeply")
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        if not math.isfinite(value):
            raise ConfigError(f"{value} is no finite number")
        return value
    if type(value) is list:
        return [plain(item, depth + 1) for item in value]
    if isinstance(value, Mapping):
        for key in value:
            if type(key) is not str:
                raise ConfigError(f"the key {key!r:.60} must be text")
        return {key: plain(item, depth + 1) for key, item in value.items()}
    raise ConfigError(f"a {type(value).__name__} is none of text, numbers, lists and mappings")


def fits(value: Any, shape: Any) -> bool:
    """Whether plain values are of a shape.

    Args:
        value: What was read.
        shape: A type; `[shape]`, a list of such items; `{"key": shape}`, a mapping whose keys, if they are
            there, have such values, and `str` among the keys stands for all others; a tuple of alternatives.

    Example:
        >>> fits({"url": "x", "seeds": [1, 2]}, {str: str, "seeds": [int]})
        True
    """
    if isinstance(shape, tuple):
        return any(fits(value, one) for one in shape)
    if isinstance(shape, list):
        return type(value) is list and all(fits(item, shape[0]) for item in value)
    if isinstance(shape, dict):
        others = shape.get(str, object)
        return type(value) is dict and all(fits(item, shape.get(key, others)) for key, item in value.items())
    return shape is object or type(value) is shape


class _Plain(yaml.SafeLoader):
    """Tags of JSON's types only, no aliases, no merges, and dates as the text that they are."""

    yaml_implicit_resolvers: ClassVar = {
        first: [
            (tag, pattern) for tag, pattern in found if not tag.endswith((":timestamp", ":merge", ":value"))
        ]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    yaml_constructors: ClassVar = {
        f"tag:yaml.org,2002:{kind}": yaml.SafeLoader.yaml_constructors[f"tag:yaml.org,2002:{kind}"]
        for kind in ("null", "bool", "int", "float", "str", "seq", "map")
    } | {None: yaml.SafeLoader.yaml_constructors[None]}

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.composer.ComposerError(
                None, None, "aliases are not read", self.peek_event().start_mark
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        keys = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        for key, count in keys.most_common(1):
            if count > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key!r} is given twice", node.start_mark
                )
        return super().construct_mapping(node, deep=deep)


class _Texts(_Plain):
    """Scalars stay as printed."""

    yaml_implicit_resolvers: ClassVar = {}
