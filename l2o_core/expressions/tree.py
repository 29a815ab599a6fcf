"""An update rule as a value: immutable, hashable, and flat.

An expression is kept as its postfix program (operands, then their operator). The program determines the
tree, so equality is equality of tuples, a complexity is a length, and every traversal is one loop: depth
costs nothing and no tree, however lopsided, meets Python's recursion limit.
"""

from __future__ import annotations

import keyword
import numbers
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import ExpressionError
from .operators import OPERATORS
from .printer import to_latex, to_text

if TYPE_CHECKING:  # the language itself needs neither
    import sympy
    from torch import Tensor

    from .compilation import Compiled

MAX_NODES = 10_000
MAX_LAG = 10_000

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_ARITY = {name: operator.arity for name, operator in OPERATORS.items()}
_HASHED = 24
_NOT_NUMBERS = {"nan", "inf", "infinity"}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Variable:
    """A named input of an equation, possibly with a lag.

    Args:
        name: An identifier of up to 100 letters, digits and underscores that names no operator.
        lag: The number of steps back in time, 0 being now; None for an input without time.

    Raises:
        ExpressionError: If the name or the lag is not valid.

    Example:
        >>> str(Variable("g", 3)), str(Variable("beta1"))
        ('g[3]', 'beta1')
    """

    name: str
    lag: int | None = None

    def __post_init__(self) -> None:
        name, lag = self.name, self.lag
        if not isinstance(name, str) or not _IDENTIFIER.fullmatch(name):
            raise ExpressionError(
                f"{str(name)[:40]!r} is not a name: up to 100 of A-Z a-z 0-9 _, no digit first"
            )
        if name in OPERATORS:
            raise ExpressionError(f"{name} is a function, not a variable: write {name}(...)")
        if "__" in name or keyword.iskeyword(name) or name.lower() in _NOT_NUMBERS:
            raise ExpressionError(f"{name} is reserved: choose another name")
        if lag is not None and (type(lag) is not int or not 0 <= lag <= MAX_LAG):
            raise ExpressionError(f"the lag of {name} must be a whole number from 0 to {MAX_LAG}, not {lag}")

    @property
    def steps_ago(self) -> int:
        """The lag, and 0 for an input without time."""
        return self.lag or 0

    def __str__(self) -> str:
        return self.name if self.lag is None else f"{self.name}[{self.lag}]"


class _Hashed:
    """A place for a hash that is computed once; no field, so that other processes compute their own."""

    __slots__ = ("_hash",)
    _hash: int


@dataclass(frozen=True, slots=True, repr=False)
class Expression(_Hashed):
    """An equation over variables, constants and `OPERATORS`, of at most `MAX_NODES` nodes.

    Make one with `parse`, `var`, `const`, `call` or the arithmetic of Python. Expressions are immutable and
    hashable; two are equal if they are written alike.

    Args:
        program: The postfix form: a `Variable`, a float, or the name of an operator at each node.

    Raises:
        ExpressionError: If there are more than `MAX_NODES` nodes.

    Example:
        >>> rule = -0.1 * var("m_hat", 0) / (1 + abs(var("g_hat", 3)))
        >>> print(rule)
        -0.1 * m_hat[0] / (1 + abs(g_hat[3]))
        >>> rule.complexity, rule.constants
        (8, (-0.1, 1.0))
    """

    program: tuple[Variable | float | str, ...]

    def __post_init__(self) -> None:
        if len(self.program) > MAX_NODES:
            raise ExpressionError(f"an expression may have {MAX_NODES} nodes, not {len(self.program)}")

    def __hash__(self) -> int:
        try:
            return self._hash
        except AttributeError:
            # of both ends: a deep tree is hashed at each of its levels, and few trees are so long and alike
            ends = self.program[:_HASHED], self.program[_HASHED:][-_HASHED:]
            object.__setattr__(self, "_hash", hash((len(self.program), ends)))
            return self._hash

    @property
    def root(self) -> Variable | float | str:
        """The node at the top, which is a variable, a constant or the name of an operator."""
        return self.program[-1]

    @property
    def arguments(self) -> tuple[Expression, ...]:
        """The operands of `root`; none for a leaf."""
        arity, end = _arity(self.root), len(self.program) - 1
        if arity < 2:
            return (Expression(self.program[:end]),) * arity
        start, missing = end, 1
        while missing:
            start -= 1
            node = self.program[start]
            missing += _ARITY[node] - 1 if isinstance(node, str) else -1
        return Expression(self.program[:start]), Expression(self.program[start:end])

    @property
    def complexity(self) -> int:
        """Number of nodes, where every operator, variable and constant counts 1, as in PySR."""
        return len(self.program)

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The distinct variables, in order of first appearance."""
        return tuple(dict.fromkeys(node for node in self.program if isinstance(node, Variable)))

    @property
    def constants(self) -> tuple[float, ...]:
        """Every constant, in order of appearance; these are the free parameters of the rule."""
        return tuple(node for node in self.program if isinstance(node, float))

    @property
    def equations(self) -> tuple[tuple[str, Expression], ...]:
        """The rule in the form of `System.equations`, where the update "u" is all there is to compute."""
        return (("u", self),)

    @property
    def memory(self) -> dict[str, int]:
        """How many steps back the rule reads its own updates `u[k]`, under "u"; empty if it does not."""
        from .system import memory_of

        return memory_of(self.equations)

    def fold(
        self,
        variable: Callable[[Variable], T],
        constant: Callable[[float], T],
        operator: Callable[..., T],
    ) -> T:
        """Reduce the tree to one value, bottom up and left to right.

        Args:
            variable: The value of a variable.
            constant: The value of a constant.
            operator: The value of an operator, called as `operator(name, *values_of_its_arguments)`.

        Returns:
            The value of the root.
        """
        stack: list[T] = []
        for node in self.program:
            if isinstance(node, Variable):
                stack.append(variable(node))
            elif isinstance(node, float):
                stack.append(constant(node))
            else:
                first = len(stack) - OPERATORS[node].arity
                stack[first:] = [operator(node, *stack[first:])]
        return stack.pop()

    def with_constants(self, values: Iterable[float]) -> Expression:
        """The same equation with other constants.

        Args:
            values: A number for each of `constants`, in their order.

        Raises:
            ExpressionError: If there are more or fewer values, or one is not finite.
        """
        values = [_finite(value) for value in values]
        if len(values) != len(self.constants):
            raise ExpressionError(f"the equation has {len(self.constants)} constants, not {len(values)}")
        fresh = iter(values)
        return Expression(tuple(next(fresh) if isinstance(node, float) else node for node in self.program))

    def rounded(self, digits: int) -> Expression:
        """The same equation, its constants rounded to so many significant `digits`."""
        return self.with_constants(_rounded(value, digits) for value in self.constants)

    def substitute(self, replacements: Mapping[str, Expression | float]) -> Expression:
        """The expression with other expressions or numbers in place of some variables.

        Args:
            replacements: What replaces each variable, by its name as it prints ("g[3]"); names that do not
                occur are ignored.

        Raises:
            ExpressionError: If the result has more than `MAX_NODES` nodes.
        """
        trees = {name: _operand(value) for name, value in replacements.items()}
        nodes: list[Variable | float | str] = []
        for node in self.program:
            tree = trees.get(str(node)) if isinstance(node, Variable) else None
            nodes += (node,) if tree is None else tree.program
            if len(nodes) > MAX_NODES:
                raise ExpressionError(f"with these in place the expression has more than {MAX_NODES} nodes")
        return Expression(tuple(nodes))

    def simplify(self) -> Expression:
        """A shorter expression with the same value, to rounding, wherever that was finite.

        Constants are folded and gathered; neutral elements and double negations go.
        """
        from .simplify import simplify

        return simplify(self)

    def compile(self) -> Compiled:
        """The expression as a PyTorch function.

        Returns:
            A function `f(inputs, constants=None)`, differentiable in both. `inputs` are tensors by name,
            which broadcast; `constants [K]` replaces the numbers in the equation. Without variables the value
            has the shape, type and device of the first input.
        """
        from .compilation import compile_expression

        return compile_expression(self)

    def evaluate(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """The value of the expression.

        Args:
            inputs: Tensors of one shape, or that broadcast, by name as variables print ("g[3]").

        Raises:
            ExpressionError: If an input is missing.

        Example:
            >>> import torch
            >>> (2 * var("x") ** 2).evaluate({"x": torch.tensor([1.0, 3.0])})
            tensor([ 2., 18.])
        """
        import torch

        return self.compile()({name: torch.as_tensor(value) for name, value in inputs.items()})

    def latex(self, digits: int = 4) -> str:
        r"""LaTeX as in a paper: lags are subscripts, constants have so many significant `digits`.

        Example:
            >>> print((0.5 * var("m_hat", 1)).latex())
            0.5 \, \hat{m}_{t-1}
        """
        return to_latex(self, digits)

    def sympy(self) -> sympy.Expr:
        """A SymPy expression over real symbols, in which g[3] is called g_3."""
        from .export_sympy import to_sympy

        return to_sympy(self)

    def to_json(self) -> str:
        """A JSON value: the text, which holds every digit."""
        return str(self)

    @classmethod
    def from_json(cls, value: Any) -> Expression:
        """Read what `to_json` wrote; anything else raises ExpressionError."""
        from .parser import parse

        return parse(value)

    def __str__(self) -> str:
        return to_text(self)

    def __repr__(self) -> str:
        return f"parse({str(self)!r})"

    def _repr_latex_(self) -> str:
        return f"${self.latex()}$"

    __array_ufunc__ = None  # NumPy's numbers on the left leave the arithmetic to us

    def __add__(self, other: Expression | float) -> Expression:
        return call("+", self, other)

    def __radd__(self, other: float) -> Expression:
        return call("+", other, self)

    def __sub__(self, other: Expression | float) -> Expression:
        return call("-", self, other)

    def __rsub__(self, other: float) -> Expression:
        return call("-", other, self)

    def __mul__(self, other: Expression | float) -> Expression:
        return call("*", self, other)

    def __rmul__(self, other: float) -> Expression:
        return call("*", other, self)

    def __truediv__(self, other: Expression | float) -> Expression:
        return call("/", self, other)

    def __rtruediv__(self, other: float) -> Expression:
        return call("/", other, self)

    def __pow__(self, other: Expression | float) -> Expression:
        exponent = _operand(other)
        return call("square", self) if exponent.program == (2.0,) else call("pow", self, exponent)

    def __rpow__(self, other: float) -> Expression:
        return call("pow", other, self)

    def __neg__(self) -> Expression:
        return call("neg", self)

    def __abs__(self) -> Expression:
        return call("abs", self)


def var(name: str, lag: int | None = None) -> Expression:
    """A variable as an expression.

    Args:
        name: Its name, such as "g".
        lag: The number of steps back in time; None for an input without time.

    Raises:
        ExpressionError: If the name or the lag is not valid.

    Example:
        >>> print(var("g", 1) - var("g", 2))
        g[1] - g[2]
    """
    return Expression((Variable(name, lag),))


def const(value: float) -> Expression:
    """A constant as an expression.

    Args:
        value: A finite number.

    Raises:
        ExpressionError: If it is not a finite number.
    """
    return Expression((_finite(value),))


def call(operator: str, *arguments: Expression | float) -> Expression:
    """An operator applied to its arguments.

    Args:
        operator: The name of one of `OPERATORS`, such as "tanh" or "+".
        *arguments: Expressions or numbers, as many as the operator takes.

    Raises:
        ExpressionError: If there is no such operator, or it takes another number of arguments.

    Example:
        >>> print(call("max", var("x"), 0))
        max(x, 0)
    """
    if operator not in OPERATORS:
        raise ExpressionError(f"unknown operator {operator!r}; known operators: {', '.join(OPERATORS)}")
    if len(arguments) != OPERATORS[operator].arity:
        raise ExpressionError(
            f"{operator} takes {OPERATORS[operator].arity} argument(s), not {len(arguments)}"
        )
    nodes: list[Variable | float | str] = []
    for argument in arguments:
        nodes += _operand(argument).program
    return Expression((*nodes, operator))


def _arity(node: Variable | float | str) -> int:
    return _ARITY[node] if isinstance(node, str) else 0


def _rounded(value: float, digits: int) -> float:
    rounded = float(f"{value:.{digits}g}")
    return rounded if abs(rounded) <= sys.float_info.max else value  # the largest floats round to infinity


def _operand(value: Expression | float) -> Expression:
    return value if isinstance(value, Expression) else const(value)


def _finite(value: Any) -> float:
    if not isinstance(value, numbers.Real) and getattr(value, "ndim", None) == 0:
        value = value.item()  # a tensor
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not is_number or not abs(value) <= sys.float_info.max:
        raise ExpressionError(f"a constant is a finite number, not {str(value)[:40]}")
    return float(value)
