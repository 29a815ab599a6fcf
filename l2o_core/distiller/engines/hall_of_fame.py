"""PySR's hall of fame: one equation for each complexity, as a CSV file."""

from __future__ import annotations

import csv
import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from ...errors import ConfigError, DataError, ExpressionError
from ...expressions import Expression, call, const, parse
from ...expressions.parser import Foreign
from ...storage import read_text
from .. import tables

SIGNED = 5e-324
"""Added to the exponents of `signed_pow`, to tell it from `^`; so small that it changes no other number."""
FOREIGN: dict[str, Foreign] = {
    "signed_sqrt": (1, ("sqrt",)),
    "signed_pow": (2, (SIGNED, "+", "pow")),
    "safe_div": (2, ("/",)),
    "safe_sqrt": (1, ("sqrt",)),
    "safe_log": (1, ("log",)),
    "inv": (1, (-1.0, "pow")),
    "cube": (1, (3.0, "pow")),
    "greater": (2, ("-", "sign", "relu")),
}
"""PySR's functions in terms of ours, which are defined everywhere: `safe_sqrt(-1)` is NaN there, -1 here."""

Reading = Literal["guess", "names", "positions"]
"""What a file calls the columns."""

LARGEST = 10_000_000
"""Characters of a file; one of 200 equations has some ten thousand."""

_FLOAT32 = re.compile(r"(?<=[\d.])f(?=[+-]?\d)")  # Julia's 1.5f-3


class HallOfFame(NamedTuple):
    """The equations of a file, and a note on each line that could not be read."""

    equations: list[Expression]
    notes: list[str]


def read_hall_of_fame(
    path: str | Path, names: Sequence[str] | None = None, variables: Reading = "guess"
) -> list[Expression]:
    r"""Read the equations of a hall of fame of PySR, in the units they were found in.

    A line that cannot be read is left out, with a warning: one that is cut short or no text, and an equation
    that has no exact counterpart here, with an unknown function or with a power `^` that is no whole number
    (without a value for negative bases there, with one here).

    Args:
        path: The CSV file, with a column Equation.
        names: Names of your columns, such as "g[3]"; without them variables are called as in the file.
        variables: What the file calls the columns: by their "names", by "positions", which PySR writes x0,
            x1, ..., or "guess", which tells them apart, and refuses a file that can be read either way.

    Raises:
        DataError: For any other file, and for one of which no line can be read.

    Example:
        >>> from tempfile import NamedTemporaryFile
        >>> with NamedTemporaryFile("w", suffix=".csv") as file:
        ...     _ = file.write('Complexity,Loss,Equation\n3,0.1,"x0 * 2.0f0"\n')
        ...     file.flush()
        ...     read_hall_of_fame(file.name, ["g[3]"])
        [parse('g[3] * 2')]
    """
    equations, notes = read(path, names, variables)
    for note in notes:
        warnings.warn(note, stacklevel=2)
    return equations


def read(path: str | Path, names: Sequence[str] | None, variables: Reading) -> HallOfFame:
    """See `read_hall_of_fame`."""
    path = Path(path)
    equations, notes = {}, []
    for line, text in _texts(path):
        try:
            equations[line] = _read(text)
        except ExpressionError as error:
            notes.append(f"{path.name}, line {line}, is left out: {' '.join(str(error).split())}")
    if not equations:
        raise DataError(f"{path} holds no equation that can be read{': ' + notes[0] if notes else ''}")
    if names is None:
        return HallOfFame([*equations.values()], notes)
    names = [str(variable) for variable in tables.variables(names, unique=True)[0]]
    used = {str(variable) for equation in equations.values() for variable in equation.variables}
    columns = _columns(used, names, variables, path)
    kept = []
    for line, equation in equations.items():
        if unknown := [str(v) for v in equation.variables if str(v) not in columns]:
            notes.append(f"{path.name}, line {line}, is left out: there is no column {', '.join(unknown)}")
        else:
            kept.append(equation.substitute(columns))
    if not kept:
        raise DataError(
            f"{path} holds no equation of these columns: {notes[-1]}; columns: {', '.join(names)}"
        )
    return HallOfFame(kept, notes)


def _texts(path: Path) -> Iterator[tuple[int, str]]:
    """Line numbers and equations. DataError for a file that is no hall of fame."""
    try:
        # a byte of another encoding costs its own line: the mark in its place is no part of an equation
        head, *lines = read_text(path, LARGEST, encoding="utf-8-sig", errors="replace").splitlines()
        delimiter = "|" if "|" in head else ","  # PySR wrote bars before it had version 0.7
        column = [title.strip().lower() for title in head.split(delimiter)].index("equation")
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(
            f"{path} is not a hall of fame of PySR (a CSV with a column Equation): {error}"
        ) from None
    for number, line in enumerate(lines, start=2):
        if not line.strip():
            continue
        try:
            cells = next(csv.reader([line], delimiter=delimiter, strict=True))
        except csv.Error:
            cells = []  # a quotation that is not closed
        yield number, cells[column] if column < len(cells) else ""


def _columns(used: set[str], names: list[str], variables: Reading, path: Path) -> dict[str, Expression]:
    """The column that each variable of a file stands for, by one of two readings."""
    by_name = {name: parse(name) for name in names}
    by_position = {f"x{i}": parse(name) for i, name in enumerate(names)}
    if variables not in get_args(Reading):
        raise ConfigError(f"variables must be one of {', '.join(get_args(Reading))}, not {variables!r}")
    if variables != "guess":
        return by_name if variables == "names" else by_position
    if used <= by_name.keys():
        return by_name
    if used & by_name.keys() and used & (by_position.keys() - by_name.keys()):
        raise DataError(
            f"{path}: {', '.join(sorted(used & by_name.keys()))} may be names of your columns or, as PySR "
            'counts them, positions: say variables="names" or variables="positions"'
        )
    return by_name if used & by_name.keys() else by_position


def _read(text: str) -> Expression:
    if not text:
        raise ExpressionError("it is cut short, or has no equation")
    equation = parse(_FLOAT32.sub("e", text), FOREIGN)
    return _with_our_powers(equation) if "^" in text or "signed_pow" in text else equation


def _with_our_powers(equation: Expression) -> Expression:
    """Julia's `^` in terms of ours, which keeps the sign of the base: an even power takes its magnitude.

    `signed_pow` is ours.
    """

    def operator(name: str, *arguments: Expression) -> Expression:
        if name == "pow":
            base, power = arguments
            if power.root == "+" and power.arguments[1].root == SIGNED:
                return call("pow", base, power.arguments[0])
            exponent = power.root
            if not (isinstance(exponent, float) and exponent.is_integer()):
                raise ExpressionError("a power that is no whole number has no value for negative bases there")
            if exponent % 2 == 0:
                return call("pow", abs(base), exponent)
        return call(name, *arguments)

    return equation.fold(lambda v: Expression((v,)), const, operator)
