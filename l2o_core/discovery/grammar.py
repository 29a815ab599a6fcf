"""What a rule may look like, and how one becomes another: mutations that always give a valid rule."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ..errors import ExpressionError
from ..expressions import OPERATORS, Expression, System, Variable, const, parse, var
from ..expressions.canonical import canonical
from ..expressions.system import check_order, depended_on, rule_of
from ..meta.simplex import from_logarithm, to_logarithm

Rule = Expression | System
Equations = list[tuple[str, Expression]]
Node = Variable | float | str

STATES = ("p", "q", "r", "w", "x", "y", "z")
"""Names of a rule's states, in order; those of features are taken."""
RATES = (0.5, 0.9, 0.95, 0.99, 0.999)
"""Decay rates of new running averages."""
UNARY = ("square", "sqrt", "abs", "sign", "tanh", "relu", "exp", "log", "asinh", "neg")
BINARY = ("+", "-", "*", "/", "min", "max")
TRIES = 20
DIGITS = 6


@dataclass(frozen=True)
class Grammar:
    """Rules within a number of nodes, over some inputs, operators and states of their own.

    Every rule that it makes reads the gradient, has no state that is not read, states named in order, and
    constants folded, so that rules of one form are written alike; `parse_rule` reads back what it prints.

    Args:
        max_complexity: Largest number of nodes of all parts of a rule.
        inputs: Features that a rule may read, beside its states, their past and its own past update.
        unary: Operators of one argument.
        binary: Operators of two.
        max_states: Largest number of states, up to seven.

    Example:
        >>> from l2o_core.expressions import parse_rule
        >>> rules, draw = Grammar(max_complexity=12), random.Random(0)
        >>> rule = rules.mutate(parse_rule("p = 0.9 * p[1] + g; -0.01 * p"), draw)
        >>> rule.complexity <= 12
        True
    """

    max_complexity: int = 30
    inputs: tuple[str, ...] = ("g", "t")
    unary: tuple[str, ...] = UNARY
    binary: tuple[str, ...] = BINARY
    max_states: int = 4

    def tidy(self, equations: Sequence[tuple[str, Expression]]) -> Expression | System | None:
        """The rule of these equations in the form of this grammar; None where there is no valid one.

        Args:
            equations: Names and right-hand sides in order, the update "u" last.
        """
        try:
            parts = depended_on((name, canonical(value).rounded(DIGITS)) for name, value in equations)
            if len(parts) - 1 > min(self.max_states, len(STATES)):
                return None
            rule = _in_order(parts)
            check_order(rule.equations)
        except (ExpressionError, OverflowError):
            return None
        reads = {variable.name for variable in rule.variables}
        return rule if "g" in reads and rule.complexity <= self.max_complexity else None

    def mutate(
        self, rule: Expression | System, draw: random.Random, other: Expression | System | None = None
    ) -> Expression | System | None:
        """A rule that differs from the given one by a step or two; None where none is found in a few tries.

        Args:
            rule: The parent, in the form of this grammar.
            draw: The random numbers.
            other: A second parent, from which a part may be taken.
        """
        kinds = [kind for kind, weight in self._kinds(other) for _ in range(weight)]
        for _ in range(TRIES):
            equations: Equations = list(rule.equations)
            for _ in range(1 + (draw.random() < 0.3)):
                equations = draw.choice(kinds)(equations, draw)
            child = self.tidy(equations)
            if child is not None and child != rule:
                return child
        return None

    def shorter(self, rule: Expression | System) -> list[Expression | System]:
        """All rules with one operator fewer, one of whose arguments stands in its place.

        Args:
            rule: A rule in the form of this grammar.

        Example:
            >>> [str(rule) for rule in Grammar().shorter(parse("-0.1 * sign(g)"))]
            ['-0.1 * g', 'sign(g)']
        """
        found: dict[Rule, None] = {}
        equations: Equations = list(rule.equations)
        for at, (_, value) in enumerate(equations):
            for first, end in _spans(value):
                for argument in Expression(value.program[first:end]).arguments:
                    fewer = self.tidy(_with(equations, at, (first, end), argument.program))
                    if fewer is not None and fewer.complexity < rule.complexity:
                        found[fewer] = None
        return list(found)

    def _kinds(
        self, other: Rule | None
    ) -> Iterator[tuple[Callable[[Equations, random.Random], Equations], int]]:
        """The kinds of mutation with their weights."""
        yield _other_constants, 4
        yield self._other_leaf, 2
        yield self._other_operator, 2
        yield self._wrap, 3
        yield _cut, 2
        yield self._regrow, 2
        yield self._average, 3
        yield self._forget, 1
        if other is not None:
            yield lambda equations, draw: _splice(equations, draw, other), 3

    def _other_leaf(self, equations: Equations, draw: random.Random) -> Equations:
        at = _pick(equations, draw)
        leaves = [span for span in _spans(equations[at][1]) if span[1] - span[0] == 1]
        return _with(equations, at, draw.choice(leaves), self._leaf(equations, at, draw).program)

    def _other_operator(self, equations: Equations, draw: random.Random) -> Equations:
        at = _pick(equations, draw)
        program = equations[at][1].program
        inner = [i for i, node in enumerate(program) if isinstance(node, str)]
        if not inner:
            return equations
        i = draw.choice(inner)
        node = program[i]
        others = self.binary if isinstance(node, str) and OPERATORS[node].arity == 2 else self.unary
        return _with(equations, at, (i, i + 1), (draw.choice(others),))

    def _wrap(self, equations: Equations, draw: random.Random) -> Equations:
        """Put an operator around a part, with a leaf as its second argument."""
        at = _pick(equations, draw)
        span = draw.choice(_spans(equations[at][1]))
        part = equations[at][1].program[slice(*span)]
        if draw.random() < 0.35:
            return _with(equations, at, span, (*part, draw.choice(self.unary)))
        leaf, operator = self._leaf(equations, at, draw).program, draw.choice(self.binary)
        first = draw.random() < 0.6
        return _with(equations, at, span, (*part, *leaf, operator) if first else (*leaf, *part, operator))

    def _regrow(self, equations: Equations, draw: random.Random) -> Equations:
        at = _pick(equations, draw)
        span = draw.choice(_spans(equations[at][1]))
        return _with(equations, at, span, self._tree(equations, at, draw, depth=2).program)

    def _average(self, equations: Equations, draw: random.Random) -> Equations:
        """A part becomes a state: its running average, sum or largest value."""
        at = _pick(equations, draw)
        value = equations[at][1]
        moving = [
            span
            for span in _spans(value)
            if any(isinstance(node, Variable) for node in value.program[slice(*span)])
        ]
        name = next((name for name in STATES if name not in {name for name, _ in equations}), None)
        if name is None or not moving:
            return equations
        span = draw.choice(moving)
        part, past, rate = Expression(value.program[slice(*span)]), var(name, 1), draw.choice(RATES)
        if part.variables and draw.random() < 0.3:
            part = self._leaf(equations, at, draw)
        recurrence = rate * past + (1 - rate) * part if draw.random() < 0.8 else rate * past + part
        equations = _with(equations, at, span, var(name).program)
        return [*equations[:at], (name, recurrence), *equations[at:]]

    def _forget(self, equations: Equations, draw: random.Random) -> Equations:
        """A state goes; the gradient stands wherever it was read."""
        if len(equations) == 1:
            return equations
        name, _ = draw.choice(equations[:-1])
        rest = [pair for pair in equations if pair[0] != name]
        return [
            (kept, _mapped(value, lambda node: var("g") if node.name == name else None))
            for kept, value in rest
        ]

    def _leaf(self, equations: Equations, at: int, draw: random.Random) -> Expression:
        """An input, a state that is computed by then, a past value, or a number."""
        if draw.random() < 0.35:
            return const(draw.choice(RATES) if draw.random() < 0.4 else _rounded(10 ** draw.uniform(-3, 1)))
        now = [var(name) for name in (*self.inputs, *(name for name, _ in equations[:at]))]
        past = [var(name, 1) for name, _ in equations]
        return draw.choice([*now, *past])

    def _tree(self, equations: Equations, at: int, draw: random.Random, depth: int) -> Expression:
        if not depth or draw.random() < 0.3:
            return self._leaf(equations, at, draw)
        operator = draw.choice(self.unary if draw.random() < 0.4 else self.binary)
        arguments = (self._tree(equations, at, draw, depth - 1) for _ in range(OPERATORS[operator].arity))
        return Expression((*(node for part in arguments for node in part.program), operator))


def explicit(rule: Rule, beta1: float = 0.95, beta2: float = 0.95) -> Rule:
    """The rule with running averages as states of its own in place of the features m, v, m_hat, g_hat, b, s.

    Its decay rates are then constants like others. Bias correction and eps, which hardly matter to a search
    that tunes the constants afterwards, are left out.

    Example:
        >>> print(explicit(parse("-0.01 * m_hat"), beta1=0.9, beta2=0.99))
        p = 0.9 * p[1] + 0.1 * g; q = 0.99 * q[1] + 0.01 * g^2; -0.01 * (p / sqrt(q))
    """
    inside: dict[str, tuple[str, ...]] = {
        "m": ("first",),
        "v": ("second",),
        "b": ("heavy",),
        "s": ("summed",),
    }
    inside |= {"m_hat": ("first", "second"), "g_hat": ("past", "second")}
    inside |= {"ad": inside["m_hat"], "rs": inside["g_hat"]}
    meanings = {
        "first": parse(f"{beta1!r} * first[1] + {_rounded(1 - beta1)!r} * g"),
        "second": parse(f"{beta2!r} * second[1] + {_rounded(1 - beta2)!r} * g^2"),
        "heavy": parse(f"{beta1!r} * heavy[1] + g"),
        "summed": parse("summed[1] + g^2"),
        "past": parse("g"),
    }
    used: dict[str, None] = {}

    def state(name: str, lag: int | None) -> Expression:
        used[name] = None
        return var(name, lag or None)

    def meaning(node: Variable) -> Expression | None:
        names = inside.get(node.name)
        if names is None:
            past = node.name == "g" and node.steps_ago
            return state("past", node.lag) if past else var(node.name, node.lag or None)
        if node.name in ("g_hat", "rs") and not node.steps_ago:
            return var("g") / Expression((*state("second", 0).program, "sqrt"))
        first, *second = (state(name, node.lag) for name in names)
        return first / Expression((*second[0].program, "sqrt")) if second else first

    parts = [(name, _mapped(value, meaning)) for name, value in rule.equations]
    return _in_order([(name, meanings[name]) for name in meanings if name in used] + parts)


def _in_order(equations: Sequence[tuple[str, Expression]]) -> Rule:
    """The rule of these equations, its states named in order."""
    called = dict(zip((name for name, _ in equations[:-1]), STATES, strict=False))
    return rule_of((called.get(name, name), _renamed(value, called)) for name, value in equations)


def _spans(expression: Expression) -> list[tuple[int, int]]:
    """First and last place of every part in the postfix program."""
    starts: list[int] = []
    found = []
    for i, node in enumerate(expression.program):
        first = i
        if isinstance(node, str):
            arity = OPERATORS[node].arity
            first = starts[-arity]
            del starts[-arity:]
        starts.append(first)
        found.append((first, i + 1))
    return found


def _pick(equations: Equations, draw: random.Random) -> int:
    """One of the equations, longer ones rather than shorter ones."""
    sizes = [value.complexity for _, value in equations]
    return draw.choices(range(len(equations)), weights=sizes)[0]


def _with(equations: Equations, at: int, span: tuple[int, int], nodes: Sequence[Node]) -> Equations:
    """The equations with other nodes in the place of a part of one of them."""
    name, value = equations[at]
    program = (*value.program[: span[0]], *nodes, *value.program[span[1] :])
    return [*equations[:at], (name, Expression(program)), *equations[at + 1 :]]


def _other_constants(equations: Equations, draw: random.Random) -> Equations:
    """Some constants become larger or smaller by a factor; now and then one changes its sign."""
    count = sum(len(value.constants) for _, value in equations)
    if not count:
        return equations
    chosen = {draw.randrange(count)} if draw.random() < 0.6 else set(range(count))
    width, turned = draw.choice((0.1, 0.3, 1.0)), draw.random() < 0.05
    position, changed = 0, []
    for name, value in equations:
        numbers = list(value.constants)
        for k, number in enumerate(numbers):
            if position in chosen and number:
                other = from_logarithm(to_logarithm(number) + draw.gauss(0, width), like=number)
                numbers[k] = _rounded(-other if turned else other)
            position += 1
        changed.append((name, value.with_constants(numbers)))
    return changed


def _cut(equations: Equations, draw: random.Random) -> Equations:
    """An operator goes; one of its arguments takes its place."""
    at = _pick(equations, draw)
    value = equations[at][1]
    inner = [span for span in _spans(value) if span[1] - span[0] > 1]
    if not inner:
        return equations
    span = draw.choice(inner)
    argument = draw.choice(Expression(value.program[slice(*span)]).arguments)
    return _with(equations, at, span, argument.program)


def _splice(equations: Equations, draw: random.Random, other: Rule) -> Equations:
    """A part of another rule, with the states that it reads, in the place of a part of this one."""
    taken = {name: f"other_{name}" for name, _ in other.equations[:-1]}
    theirs = [(taken.get(name, name), _renamed(value, taken)) for name, value in other.equations]
    given = theirs[-1][1] if len(theirs) == 1 or draw.random() < 0.6 else draw.choice(theirs[:-1])[1]
    part = given.program[slice(*draw.choice(_spans(given)))]
    at = _pick(equations, draw)
    changed = _with(equations, at, draw.choice(_spans(equations[at][1])), part)
    return [*theirs[:-1], *changed]


def _mapped(value: Expression, function: Callable[[Variable], Expression | None]) -> Expression:
    """The expression with others in place of some variables; None leaves one as it is."""
    nodes: list[Node] = []
    for node in value.program:
        other = function(node) if isinstance(node, Variable) else None
        nodes += (node,) if other is None else other.program
    return Expression(tuple(nodes))


def _renamed(value: Expression, names: dict[str, str]) -> Expression:
    return _mapped(value, lambda node: var(names[node.name], node.lag) if node.name in names else None)


def _rounded(value: float) -> float:
    """Enough digits for any rule, and few enough to be read."""
    return float(f"{value:.4g}")
