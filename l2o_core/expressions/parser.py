"""Text to expression, by a closed grammar: nothing is ever handed to Python's own interpreter.

    sum      = product (("+" | "-") product)*
    product  = unary (("*" | "/") unary)*
    unary    = "-" unary | power
    power    = atom (("^" | "**") unary)?
    atom     = number | name ("[" lag "]")? | function "(" sum ("," sum)* ")" | "(" sum ")"
    rule     = (name "=" sum ";")* sum

`x ^ 2` is `square(x)`; any other `x ^ y` is `pow(x, y) = sign(x)|x|^y`. A minus before a number belongs to
the number unless a power follows: -2 * x holds the constant -2, and -2 ^ x is -(2 ^ x).

Operators wait on an explicit stack (Dijkstra's shunting yard) and come out in postfix order, which is what
an `Expression` is made of; so nesting is bounded by `MAX_NODES`, not by the interpreter's stack.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import NoReturn

from ..errors import ExpressionError
from .operators import FUNCTIONS, OPERATORS
from .system import UPDATE, System, check_name, check_reading, rule_of
from .tree import MAX_NODES, Expression, Variable, const

MAX_LENGTH = 500_000  # characters

Foreign = tuple[int, tuple[float | str, ...]]

_NUMBER = r"(?>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
_VALUE = re.compile(
    rf"""\s*+(?:
        (?P<number> -\s*{_NUMBER}(?!\s*(?:\^|\*\*)) | {_NUMBER} )
      | (?P<function> [A-Za-z_]\w*+ )\s*+\(
      | (?P<variable> [A-Za-z_]\w*+ )(?: \s*\[\s*(?P<lag>\d{{1,9}})\s*\] )?
      | (?P<minus> - )
      | (?P<open> \( )
    )""",
    re.ASCII | re.VERBOSE,
)
_OPERATOR = re.compile(r"\s*+(?P<symbol>\*\*|[-+*/^]|[,)]|\Z)", re.ASCII)
_NAMED = re.compile(r"\s*+(?:(?P<name>[A-Za-z_]\w*+)\s*+=)?", re.ASCII)
_WORD = re.compile(r"\s*+(?P<word>\w{1,40}|.|\Z)", re.DOTALL | re.ASCII)

_BINDING = {"+": 1, "-": 1, "*": 2, "/": 2, "neg": 3, "^": 4}


def parse(text: str, foreign: Mapping[str, Foreign] | None = None) -> Expression:
    """Read an expression from text.

    The grammar is closed: numbers, names with or without a lag (`g[3]`), `+ - * / ^`, parentheses, and the
    functions in `FUNCTIONS`. Nothing is ever evaluated, so text from any source can be read.

    Args:
        text: The equation, of at most `MAX_LENGTH` characters.
        foreign: Further functions that the text may use, by name: the number of arguments, and the nodes that
            follow these in postfix order. `{"inv": (1, (-1.0, "pow"))}` reads `inv(x)` as x^-1.

    Raises:
        ExpressionError: If the text is no expression. It says what is wrong and where.

    Example:
        >>> rule = parse("-0.01 * m_hat[0] / (1 + abs(g_hat[3]))")
        >>> rule.complexity
        8
        >>> parse("m_hat *")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        l2o_core.errors.ExpressionError: expected a number, a variable or a function, found the end ...
    """
    _check_text(text)
    return _Parser(text, foreign or {}).parse()


def parse_rule(text: str) -> Expression | System:
    """Read a rule from text: an expression, or states and then the update, with ";" between them.

    The update may read its own past, `u[k]`; a state `p = ...` may read its own and that of any other,
    `p[k]`, and the states above it as they are now, `p`. What was before the first step is 0. `theta` is the
    parameter.

    Args:
        text: The rule, of at most `MAX_LENGTH` characters.

    Returns:
        A `System` if the rule has states, else an `Expression`.

    Raises:
        ExpressionError: If the text is no rule. It says what is wrong and where.

    Example:
        >>> parse_rule("0.9 * u[1] - 0.01 * g").memory
        {'u': 1}
        >>> parse_rule("p = 0.9 * p[1] + g; -0.01 * p").memory
        {'p': 1}
        >>> parse_rule("p = 0.9 * p + g; -0.01 * p")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        l2o_core.errors.ExpressionError: p is not computed yet; its value one step ago is p[1] ...
    """
    _check_text(text)
    parts = list(_parts(text))
    unknown = {UPDATE, *(name for name, _, _ in parts if name)}
    states: list[tuple[str, Expression]] = []
    for name, start, end in parts:
        value = _Parser(text, {}, start, end, unknown).parse()
        if name is None:
            return rule_of([*states, (UPDATE, value)])
        states.append((name, value))
        unknown.remove(name)
    raise AssertionError("the last part has no name")


def _parts(text: str) -> Iterator[tuple[str | None, int, int]]:
    """The parts between semicolons: the name of a state, where its value begins, and where that ends.

    The last part, which is the update, has no name.
    """
    start, names = 0, set[str]()
    while True:
        named = _NAMED.match(text, start)
        assert named, "it matches nothing too"
        end = text.find(";", start)
        name, at = named["name"], named.start("name") if named["name"] else named.end()
        if name is None and end >= 0:
            raise ExpressionError("expected a state, as in p = 0.9 * p[1] + g;", text=text, position=at)
        if name is not None and end < 0:
            message = f"the update must follow the states, as in {name} = ...; -{name}"
            raise ExpressionError(message, text=text, position=len(text))
        if name is None:
            yield None, start, len(text)
            return
        try:
            check_name(name, names)
        except ExpressionError as error:
            raise ExpressionError(str(error), text=text, position=at) from None
        names.add(name)
        yield name, named.end(), end
        start = end + 1


def _check_text(text: str) -> None:
    """Raise ExpressionError for what is no text, or too much of it."""
    if not isinstance(text, str):
        raise ExpressionError(f"an expression is read from text, not from {type(text).__name__}", position=0)
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"text longer than {MAX_LENGTH} characters", text=text, position=MAX_LENGTH)


@dataclass
class _Pending:
    """An operator that waits for its right operand, or an open parenthesis or call (binding 0)."""

    name: str
    position: int
    binding: int = 0
    commas: int = 0


class _Parser:
    """Of the text from `start` to `end`; the names `unknown` have no value yet, only a past one."""

    def __init__(
        self,
        text: str,
        foreign: Mapping[str, Foreign],
        start: int = 0,
        end: int | None = None,
        unknown: Collection[str] | None = None,
    ):
        self.text, self.position, self.end = text, start, len(text) if end is None else end
        self.functions = {name: (OPERATORS[name].arity, (name,)) for name in FUNCTIONS} | dict(foreign)
        self.unknown = unknown
        self.program: list[Variable | float | str] = []
        self.pending: list[_Pending] = []

    def parse(self) -> Expression:
        while True:
            while not self.read_value():
                pass
            while (symbol := self.read_operator()) == ")":
                pass
            self.check_size()
            if symbol == "":
                return Expression(tuple(self.program))

    def read_value(self) -> bool:
        """Read where a value is due; True when there is one, False when its beginning was read."""
        match = self.match(_VALUE, "expected a number, a variable or a function")
        kind, start = match.lastgroup, match.start(match.lastgroup or 0)
        if kind == "number":
            self.program.append(self.number(match["number"], start))
        elif kind in ("variable", "lag"):
            self.program.append(self.variable(match["variable"], match["lag"], match.start("variable")))
        elif kind == "minus":
            self.pending.append(_Pending("neg", start, _BINDING["neg"]))
        elif kind == "open":
            self.pending.append(_Pending("(", start))
        elif match["function"] in self.functions:
            self.pending.append(_Pending(match["function"], start))
        else:
            known = ", ".join(self.functions)
            self.fail(f"unknown function {match['function'][:40]!r}; known functions: {known}", start)
        return kind in ("number", "variable", "lag")

    def read_operator(self) -> str:
        """Read what follows a value: an operator, a comma, a closing parenthesis, or "", the end."""
        match = self.match(_OPERATOR, "expected an operator")
        symbol, start = match["symbol"].replace("**", "^"), match.start("symbol")
        if symbol in _BINDING:
            binding = _BINDING[symbol]
            self.release(binding + (symbol == "^"))  # ^ groups from the right
            self.pending.append(_Pending(symbol, start, binding))
            return symbol
        self.release(1)
        if symbol == "":
            if self.pending:
                self.fail("this is never closed", self.pending[-1].position)
        elif not self.pending:
            self.fail(f"{symbol!r} without an opening parenthesis", start)
        elif symbol == ",":
            self.pending[-1].commas += 1
        else:
            self.close(self.pending.pop())
        return symbol

    def close(self, opened: _Pending) -> None:
        if opened.name == "(":
            if opened.commas:
                self.fail("a comma belongs in a function call", opened.position)
            return
        arity, nodes = self.functions[opened.name]
        if opened.commas + 1 != arity:
            self.fail(f"{opened.name} takes {arity} argument(s), not {opened.commas + 1}", opened.position)
        self.program.extend(nodes)

    def release(self, binding: int) -> None:
        """Let the waiting operators that bind at least this tightly take their operands."""
        while self.pending and self.pending[-1].binding >= binding:
            name = self.pending.pop().name
            if name != "^":
                self.program.append(name)
            elif self.program[-1] == 2.0:  # the exponent is just the number 2
                self.program[-1] = "square"
            else:
                self.program.append("pow")

    def number(self, text: str, position: int) -> float:
        try:
            return const(float("".join(text.split()))).constants[0]
        except ExpressionError:
            self.fail("a number too large for a float", position)

    def variable(self, name: str, lag: str | None, position: int) -> Variable:
        try:
            variable = Variable(name, None if lag is None else int(lag))
            if self.unknown is not None:
                check_reading(variable, self.unknown)
            return variable
        except ExpressionError as error:
            self.fail(str(error), position)

    def match(self, pattern: re.Pattern, expected: str) -> re.Match:
        """Take the next piece of text, or fail at it."""
        match = pattern.match(self.text, self.position, self.end)
        if match is None:
            word = _WORD.match(self.text, self.position, self.end)
            assert word, "it matches anything"
            self.fail(f"{expected}, found {_describe(word['word'])}", word.start("word"))
        self.check_size()
        self.position = match.end()
        return match

    def check_size(self) -> None:
        if max(len(self.program), len(self.pending)) > MAX_NODES:
            self.fail(f"more than {MAX_NODES} nodes or levels of nesting", self.position)

    def fail(self, message: str, position: int) -> NoReturn:
        raise ExpressionError(message, text=self.text, position=position) from None


def _describe(word: str) -> str:
    if word == "":
        return "the end"
    if word == "[":
        return "'['; a lag is a whole number in brackets after a name, as in g[3]"
    if word in ("=", ";"):
        return f"{word!r}; a rule with states, p = ...; -p, is read by `parse_rule`"
    if not word.isascii():
        return f"{word!r} ({unicodedata.name(word, 'unnamed').lower()})"
    return repr(word)
