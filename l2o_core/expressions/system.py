"""Rules with a memory of their own: states, each with a recurrence, then the update.

A rule computes its own values one after the other: its states in their order, and last the update, u. Each
may read those before it (`p`), and all of them as they were k steps ago (`p[k]`, `u[k]`), which is 0 before
the first step. An `Expression` is such a rule without states; a `System` has some.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .. import features
from ..errors import ExpressionError
from .printer import system_to_latex, system_to_text
from .tree import MAX_NODES, Expression, Variable

if TYPE_CHECKING:  # the language itself needs neither
    import sympy
    from torch import Tensor

    from .compilation import Compiled, CompiledRule

UPDATE, PARAMETER = "u", "theta"
RESERVED = (*features.NAMES, UPDATE, PARAMETER)
"""Names that no state can have, beside those of functions."""


@dataclass(frozen=True, slots=True, repr=False)
class System:
    """A rule with states: `p = 0.9 * p[1] + 0.1 * g; -p`.

    Make one with `parse_rule`. It has what an `Expression` has, and can be used wherever a rule is asked for.
    Systems are immutable and hashable; two are equal if they are written alike.

    Args:
        states: Names and right-hand sides, in the order in which they are computed; at least one.
        update: What the rule computes from them, in the end.

    Raises:
        ExpressionError: If a name is taken, a value is read before it is computed, or there are more than
            `MAX_NODES` nodes.

    Example:
        >>> from l2o_core.expressions import parse_rule
        >>> rule = parse_rule("p = 0.9*p[1] + 0.1*g;  q = 0.999*q[1] + 0.001*g^2;  -p / (sqrt(q) + 1e-8)")
        >>> rule.complexity, [str(variable) for variable in rule.variables], rule.memory
        (22, ['g'], {'p': 1, 'q': 1})
        >>> print(rule.update)
        -p / (sqrt(q) + 1e-08)
    """

    states: tuple[tuple[str, Expression], ...]
    update: Expression

    def __post_init__(self) -> None:
        object.__setattr__(self, "states", tuple((name, value) for name, value in self.states))
        if not self.states:
            raise ExpressionError("a system has a state or more; a rule without is an Expression")
        if self.complexity > MAX_NODES:
            raise ExpressionError(f"a rule may have {MAX_NODES} nodes, not {self.complexity}")
        earlier: set[str] = set()
        for name, _ in self.states:
            check_name(name, earlier)
            earlier.add(name)
        check_order(self.equations)

    @property
    def equations(self) -> tuple[tuple[str, Expression], ...]:
        """Names and right-hand sides in the order of computation; the last is the update, "u"."""
        return (*self.states, (UPDATE, self.update))

    @property
    def memory(self) -> dict[str, int]:
        """The names of states and of the update whose past is read, and how many steps back."""
        return memory_of(self.equations)

    @property
    def complexity(self) -> int:
        """Number of nodes of all right-hand sides; names on the left do not count."""
        return sum(value.complexity for _, value in self.equations)

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The distinct inputs, in order of first appearance; `u[k]` and `theta` are some, states are none."""
        own = {name for name, _ in self.states}
        read = (variable for _, value in self.equations for variable in value.variables)
        return tuple(dict.fromkeys(variable for variable in read if variable.name not in own))

    @property
    def constants(self) -> tuple[float, ...]:
        """Every constant, in order of appearance; these are the free parameters of the rule."""
        return tuple(number for _, value in self.equations for number in value.constants)

    def map(self, function: Callable[[Expression], Expression]) -> System:
        """The system with a function of expressions, such as `Expression.simplify`, applied to each part."""
        return System(tuple((name, function(value)) for name, value in self.states), function(self.update))

    def with_constants(self, values: Iterable[float]) -> System:
        """The same rule with other constants.

        Args:
            values: A number for each of `constants`, in their order.

        Raises:
            ExpressionError: If there are more or fewer values, or one is not finite.
        """
        values = list(values)
        if len(values) != len(self.constants):
            raise ExpressionError(f"the rule has {len(self.constants)} constants, not {len(values)}")
        fresh = iter(values)
        return self.map(lambda part: part.with_constants([next(fresh) for _ in part.constants]))

    def rounded(self, digits: int) -> System:
        """The same rule, its constants rounded to so many significant `digits`."""
        return self.map(lambda part: part.rounded(digits))

    def substitute(self, replacements: Mapping[str, Expression | float]) -> System:
        """The rule with expressions or numbers in place of some inputs; see `Expression.substitute`."""
        inputs = {str(variable) for variable in self.variables}
        chosen = {name: value for name, value in replacements.items() if name in inputs}
        return self.map(lambda part: part.substitute(chosen))

    def simplify(self) -> System:
        """A shorter rule with the same values, part by part."""
        return self.map(Expression.simplify)

    def compile(self) -> Compiled:
        """The update as a PyTorch function `f(inputs, constants=None)`.

        Returns:
            A function as that of `Expression.compile`; `inputs` hold the past of states too, as "p[1]".
        """
        run = self.compile_all()
        return lambda inputs, constants=None: run(inputs, constants)[UPDATE]

    def compile_all(self) -> CompiledRule:
        """As `compile`, but the function gives all values of a step by name: the states, and the update "u".

        Example:
            >>> import torch
            >>> from l2o_core.expressions import parse_rule
            >>> step = parse_rule("p = 0.5 * p[1] + g; -p").compile_all()
            >>> step({"g": torch.tensor(1.0), "p[1]": torch.tensor(2.0)})
            {'p': tensor(2.), 'u': tensor(-2.)}
        """
        from .compilation import compile_equations

        return compile_equations(self.equations)

    def evaluate(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """The update of one step.

        Args:
            inputs: Tensors by name; also the past of states, as "p[1]".

        Raises:
            ExpressionError: If an input is missing.
        """
        import torch

        return self.compile()({name: torch.as_tensor(value) for name, value in inputs.items()})

    def latex(self, digits: int = 4) -> str:
        """LaTeX as in a paper, an equation below the other; constants have so many significant `digits`."""
        return system_to_latex(self, digits)

    def sympy(self) -> tuple[sympy.Eq, ...]:
        """SymPy equations: those of the states, then that of the update u_0; p[1] is called p_1, p is p_0."""
        from .export_sympy import system_to_sympy

        return system_to_sympy(self)

    def to_json(self) -> str:
        """A JSON value: the text, which holds every digit."""
        return str(self)

    @classmethod
    def from_json(cls, value: Any) -> Expression | System:
        """Read what `to_json` wrote, here or by an `Expression`; anything else raises ExpressionError."""
        from .parser import parse_rule

        return parse_rule(value)

    def __str__(self) -> str:
        return system_to_text(self)

    def __repr__(self) -> str:
        return f"parse_rule({str(self)!r})"

    def _repr_latex_(self) -> str:
        return f"${self.latex()}$"


def check_name(name: str, earlier: Collection[str]) -> None:
    """Raise ExpressionError for a name that a state after some `earlier` ones cannot have."""
    Variable(name)  # refuses what is no name
    if name in features.NAMES:
        raise ExpressionError(f"{name} is a feature: give the state another name")
    if name in RESERVED:
        what = "update that the rule computes" if name == UPDATE else "parameter"
        raise ExpressionError(f"{name} is the {what}: give the state another name")
    if name in earlier:
        raise ExpressionError(f"the state {name} is there already: give this one another name")


def check_reading(variable: Variable, pending: Collection[str]) -> None:
    """Raise ExpressionError for what has no value: of the names `pending`, those now, and past parameters."""
    name = variable.name
    if name == PARAMETER and variable.steps_ago:
        raise ExpressionError("theta is the parameter now; a state keeps what it was: w = theta, then w[1]")
    if name in pending and not variable.steps_ago:
        what = "what the rule is about to compute" if name == UPDATE else "not computed yet"
        raise ExpressionError(f"{name} is {what}; its value one step ago is {name}[1]")


def check_order(equations: Iterable[tuple[str, Expression]]) -> None:
    """Raise ExpressionError where one of the equations of a rule reads what has no value yet."""
    equations = tuple(equations)
    pending = {name for name, _ in equations}
    for name, value in equations:
        for variable in value.variables:
            check_reading(variable, pending)
        pending.discard(name)


def rule_of(equations: Iterable[tuple[str, Expression]]) -> Expression | System:
    """The rule of some equations, the update last: a `System`, or an `Expression` without states."""
    *states, (_, update) = equations
    return System(tuple(states), update) if states else update


def depended_on(equations: Iterable[tuple[str, Expression]]) -> list[tuple[str, Expression]]:
    """The equations, in their order, that the update depends on, now or later."""
    equations = list(equations)
    names, read = {name for name, _ in equations}, {UPDATE}
    while (
        more := {v.name for name, value in equations if name in read for v in value.variables} & names - read
    ):
        read |= more
    return [(name, value) for name, value in equations if name in read]


def memory_of(equations: Iterable[tuple[str, Expression]]) -> dict[str, int]:
    """See `System.memory`."""
    equations = tuple(equations)
    longest = {name: 0 for name, _ in equations}
    for _, value in equations:
        for variable in value.variables:
            if variable.name in longest:
                longest[variable.name] = max(longest[variable.name], variable.steps_ago)
    return {name: lag for name, lag in longest.items() if lag}
