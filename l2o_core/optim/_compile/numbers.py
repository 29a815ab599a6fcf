"""The numbers of a rule: what all coordinates share is computed once, and handed to kernels as arguments.

In `-c * tanh(g / (2 * c))`, the numbers are `-c` and `1 / (2 * c)`. The rule over numbers,
`n2 * tanh(g * n5)`, does not depend on their values: neither does anything that is compiled for it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping

from ...expressions import Expression, Variable, call, var
from ...expressions.operators import DENOMINATOR_CUT
from ...expressions.tensors import constant_value

Number = int
"""The place of a number in its table."""
TIME = "t"
"""The name of the step's number."""


class Numbers:
    """A table of numbers, each a constant, a name, or an operator applied to numbers before it.

    Equal numbers have one place, so that a sum over many lags needs no more of them than it has weights.
    """

    def __init__(self) -> None:
        self._entries: list[float | str | tuple[str, *tuple[Number, ...]]] = []
        self._places: dict[object, Number] = {}
        self.zero, self.one, self.minus_one = map(self.constant, (0.0, 1.0, -1.0))

    def constant(self, value: float) -> Number:
        """The place of a value."""
        return self._place(float(value), ("constant", repr(float(value))))

    def named(self, name: str) -> Number:
        """The place of a name's value."""
        return self._place(name, name)

    def apply(self, name: str, *arguments: Number) -> Number:
        """The place of an operator's result; neutral elements go, and constants are folded."""
        neutral = {"+": self.zero, "*": self.one}.get(name)
        if neutral in arguments:
            first, second = arguments
            return second if first == neutral else first
        entries = [self._entries[argument] for argument in arguments]
        known = [entry for entry in entries if isinstance(entry, float)]
        if len(known) == len(entries):
            return self.constant(_applied(name, *known))
        return self._place((name, *arguments), (name, *arguments))

    def values(self, wanted: Iterable[Number], given: Mapping[str, float]) -> list[float]:
        """The values of the `wanted` numbers, from those of the names."""
        needed, stack = set(), list(wanted)
        while stack:
            if (place := stack.pop()) not in needed:
                needed.add(place)
                entry = self._entries[place]
                stack += entry[1:] if isinstance(entry, tuple) else ()
        found: dict[Number, float] = {}
        for place in sorted(needed):  # arguments come before what is made of them
            entry = self._entries[place]
            if isinstance(entry, tuple):
                found[place] = _applied(entry[0], *(found[argument] for argument in entry[1:]))
            else:
                found[place] = given[entry] if isinstance(entry, str) else entry
        return [found[place] for place in wanted]

    def lift(self, rule: Expression, is_feature: Callable[[Variable], bool]) -> Expression:
        """The rule with one number in place of each part without features.

        Dividing by a number becomes a product with its reciprocal, which is 0 where division gives 0.
        """

        def variable(leaf: Variable) -> Expression | Number:
            return var(leaf.name, leaf.lag) if is_feature(leaf) else self.named(leaf.name)

        return self.write(rule.fold(variable, self.constant, self._lifted))

    def _lifted(self, name: str, *parts: Expression | Number) -> Expression | Number:
        if all(isinstance(part, Number) for part in parts):
            return self.apply(name, *parts)  # type: ignore[arg-type]
        if name == "/" and isinstance(parts[1], Number):
            name, parts = "*", (parts[0], self.apply("/", self.one, parts[1]))
        return call(name, *map(self.write, parts))

    def lift_time(self, rule: Expression) -> Expression:
        """A lifted rule with one number, too, in place of each part made of numbers and of the step's number.

        These parts are what digits depend on: in single precision, 1 - beta^t loses them.
        """

        def variable(leaf: Variable) -> Expression | Number:
            number = self.read(leaf)
            if number is not None:
                return number
            return self.named(TIME) if leaf.name == TIME and leaf.lag == 0 else var(leaf.name, leaf.lag)

        return self.write(rule.fold(variable, self.constant, self._lifted))

    def change_with_time(self, numbers: Iterable[Number]) -> list[Number]:
        """Those of some numbers that are made of the step's number."""
        timed: set[Number] = set()
        for place, entry in enumerate(self._entries):  # arguments come before what is made of them
            if entry == TIME or (isinstance(entry, tuple) and timed.intersection(entry[1:])):
                timed.add(place)
        return [number for number in numbers if number in timed]

    @staticmethod
    def write(part: Expression | Number) -> Expression:
        """A number as a variable, n0, n1, ...; an expression as it is."""
        return var(f"n{part}") if isinstance(part, Number) else part

    @staticmethod
    def read(variable: Variable) -> Number | None:
        """The number that a variable of a lifted rule stands for; None for a feature."""
        return int(variable.name[1:]) if variable.lag is None and variable.name[1:].isdecimal() else None

    def _place(self, entry: float | str | tuple[str, *tuple[Number, ...]], key: object) -> Number:
        if key not in self._places:
            self._places[key] = len(self._entries)
            self._entries.append(entry)
        return self._places[key]


_SIMPLE: Mapping[str, Callable[..., float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "neg": operator.neg,
}


def _applied(name: str, *values: float) -> float:
    if name in _SIMPLE:
        return _SIMPLE[name](*values)
    if name == "/":
        return values[0] / values[1] if abs(values[1]) >= DENOMINATOR_CUT else 0.0
    return constant_value(name, *values)
