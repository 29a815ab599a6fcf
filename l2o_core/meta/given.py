"""What callers hand over, a task or several, rules or an equation, and words for what is none of these."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from .. import tasks
from ..errors import ConfigError
from ..expressions import Expression, System, parse_rule
from ..models.equation import Equation
from ..tasks.base import Task


def one_task(task: Any) -> Task:
    """The task itself.

    Raises:
        ConfigError: For what is none, such as the name of one.
    """
    if isinstance(task, Task):
        return task
    name = task if isinstance(task, str) and task in tasks.names() else "p1"
    raise ConfigError(f'a task is wanted, not {task!r:.60}; tasks.load("{name}") makes one')


def several_tasks(given: Any, purpose: str) -> list[Task]:
    """One task or several as a list.

    Args:
        given: A task, or an iterable of them.
        purpose: What there is no task for where there is none, as "to search rules for".

    Raises:
        ConfigError: For no task at all, or for what is none.
    """
    if isinstance(given, Task | str) or not isinstance(given, Iterable):
        return [one_task(given)]
    found = [one_task(task) for task in given]
    if not found:
        raise ConfigError(f"there is no task {purpose}: give one, or several")
    return found


def one_rule(rule: Any) -> Expression | System:
    """The rule, parsed where it is text.

    Raises:
        ConfigError: For what is no rule, such as an optimizer.
        ExpressionError: For text that is none.
    """
    if isinstance(rule, Expression | System):
        return rule
    if isinstance(rule, str):
        return parse_rule(rule)
    hint = "; give its .equation" if hasattr(type(rule), "equation") else ""
    raise ConfigError(
        f"a rule is text, an Expression or a System, not an object of {type(rule).__name__}{hint}"
    )


def several_rules(rules: Any) -> list[Expression | System]:
    """The rules of an iterable, parsed.

    Raises:
        ConfigError: For a single rule, whose text would be read character by character, or what is no rule.
        ExpressionError: For text that is none.
    """
    if isinstance(rules, str | Expression | System) or not isinstance(rules, Iterable):
        raise ConfigError(f"rules must be a list of rules, not {rules!r:.60}; put a single one in brackets")
    return [one_rule(rule) for rule in rules]


def own_equation(rule: Any) -> Equation:
    """A model of a rule, which may be changed: a copy where a model is given.

    Raises:
        ConfigError: For what is no rule, or a name in it without a value.
        ExpressionError: For text that is none.
    """
    return copy.deepcopy(rule) if isinstance(rule, Equation) else Equation(one_rule(rule))
