"""PySR's hall of fame: one equation for each complexity, as a CSV file."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path

from ...errors import DataError, ExpressionError
from ...expressions import Expression, call, const, parse
from ...expressions.parser import Foreign

FOREIGN: dict[str, Foreign] = {
    "signed_sqrt": (1, ("sqrt",)),
    "signed_pow": (2, ("pow",)),
    "safe_div": (2, ("/",)),
    "safe_sqrt": (1, ("sqrt",)),
    "safe_log": (1, ("log",)),
    "inv": (1, (-1.0, "pow")),
    "cube": (1, (3.0, "pow")),
    "greater": (2, ("-", "sign", "relu")),
}
"""PySR's functions in terms of ours, which are defined everywhere: `safe_sqrt(-1)` is NaN there, -1 here."""

_FLOAT32 = re.compile(r"(?<=[\d.])f(?=[+-]?\d)")  # Julia's 1.5f-3


def read_hall_of_fame(path: str | Path, names: Sequence[str] | None = None) -> list[Expression]:
    r"""Read the equations of a hall of fame of PySR, in the units they were found in.

    Args:
        path: The CSV file, with a column Equation.
        names: Names of the columns x0, x1, ..., such as "g[3]".

    Raises:
        DataError: For any other file, and for equations that have no exact counterpart here: those with
            unknown functions, or with powers `^` that are not whole numbers (without a value for negative
            bases there, with one here).

    Example:
        >>> from tempfile import NamedTemporaryFile
        >>> with NamedTemporaryFile("w", suffix=".csv") as file:
        ...     _ = file.write('Complexity,Loss,Equation\n3,0.1,"x0 * 2.0f0"\n')
        ...     file.flush()
        ...     read_hall_of_fame(file.name, ["g[3]"])
        [parse('g[3] * 2')]
    """
    path = Path(path)
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines(), strict=True))
        texts = [{key.lower(): value for key, value in row.items()}["equation"] for row in rows]
    except (OSError, UnicodeDecodeError, KeyError, AttributeError, csv.Error) as error:
        raise DataError(
            f"{path} is not a hall of fame of PySR (a CSV with a column Equation): {error}"
        ) from None
    if not texts:
        raise DataError(f"{path} holds no equations")
    columns = {f"x{i}": name for i, name in enumerate(names or [])}
    return [_read(text, columns, path) for text in texts]


def _read(text: str, columns: dict[str, str], path: Path) -> Expression:
    try:
        equation = parse(_FLOAT32.sub("e", text), FOREIGN)
        if "^" in text:
            equation = _with_our_powers(equation)
        return equation.substitute({x: parse(name) for x, name in columns.items()})
    except ExpressionError as error:
        raise DataError(f"{path}: cannot read {text[:80]!r}: {error}") from None


def _with_our_powers(equation: Expression) -> Expression:
    """Julia's `^` in terms of ours, which keeps the sign of the base: an even power takes its magnitude."""

    def operator(name: str, *arguments: Expression) -> Expression:
        if name == "pow":
            base, exponent = arguments[0], arguments[1].root
            if not (isinstance(exponent, float) and exponent.is_integer()):
                raise ExpressionError("a power that is no whole number has no value for negative bases there")
            if exponent % 2 == 0:
                return call("pow", abs(base), exponent)
        return call(name, *arguments)

    return equation.fold(lambda v: Expression((v,)), const, operator)
