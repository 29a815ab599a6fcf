"""Expression to text, which `parse` reads back to the same expression, and to LaTeX, which people read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .system import System
    from .tree import Expression, Variable

_SUM, _PRODUCT, _PREFIX, _POWER, _ATOM = range(1, 6)  # how tightly a piece of text holds together

_GREEK = re.compile(
    "alpha|beta|gamma|delta|epsilon|zeta|eta|theta|kappa|mu|nu|xi|rho|sigma|tau|phi|psi|omega"
)
_LATEX_FUNCTIONS = {"tanh", "sinh", "log", "cos", "sin", "min", "max"}
_POWERS_OF_G = {"g2": 2, "g3": 3}
_SIGNS = {"sg": "g", "sm": "m"}


class _Piece(NamedTuple):
    text: str
    binding: int

    def within(self, binding: int, template: str = "({})") -> str:
        return self.text if self.binding >= binding else template.format(self.text)


_NOTHING = _Piece("", 0)  # the second argument of an operator that has one


def to_text(expression: Expression) -> str:
    """As `parse` reads it: every digit, and no parenthesis that could be left out."""
    return expression.fold(lambda variable: _Piece(str(variable), _ATOM), _text_constant, _text_operator).text


def _text_constant(value: float) -> _Piece:
    text = repr(value).removesuffix(".0")
    return _Piece(text, _PREFIX if text.startswith("-") else _ATOM)


def _text_operator(name: str, x: _Piece, y: _Piece = _NOTHING) -> _Piece:
    if name in ("+", "-"):
        return _Piece(f"{x.within(_SUM)} {name} {y.within(_PRODUCT)}", _SUM)
    if name in ("*", "/"):
        return _Piece(f"{x.within(_PRODUCT)} {name} {y.within(_PREFIX)}", _PRODUCT)
    if name == "neg":
        is_number = x.binding == _ATOM and x.text[0].isdigit()  # -(2), since -2 is a constant
        return _Piece(f"-({x.text})" if is_number else f"-{x.within(_PREFIX)}", _PREFIX)
    if name == "square":
        return _Piece(f"{x.within(_ATOM)}^2", _POWER)
    if name == "pow" and y.text != "2":
        return _Piece(f"{x.within(_ATOM)}^{y.within(_PREFIX)}", _POWER)
    return _Piece(f"{name}({f'{x.text}, {y.text}' if y.text else x.text})", _ATOM)


def system_to_text(system: System) -> str:
    """As `parse_rule` reads it."""
    return "; ".join([*(f"{name} = {value}" for name, value in system.states), str(system.update)])


def system_to_latex(system: System, digits: int) -> str:
    """One equation below the other; states bear their time, as their past does."""
    from .tree import var

    now = {name: var(name, 0) for name, _ in system.states}
    lines = (
        rf"{_symbol(name, 0)} &= {to_latex(value.substitute(now), digits)}"
        for name, value in system.equations
    )
    return r"\begin{aligned} " + r" \\ ".join(lines) + r" \end{aligned}"


def to_latex(expression: Expression, digits: int) -> str:
    """As a paper prints it, with `digits` significant digits."""
    return expression.fold(
        _latex_variable, lambda value: _latex_constant(value, digits), _latex_operator
    ).text


def _latex_variable(variable: Variable) -> _Piece:
    name, lag = variable.name, variable.lag
    if name in _POWERS_OF_G:
        return _Piece(f"{_symbol('g', lag)}^{{{_POWERS_OF_G[name]}}}", _POWER)
    if name in _SIGNS:
        return _Piece(rf"\operatorname{{sign}}\left({_symbol(_SIGNS[name], lag)}\right)", _ATOM)
    if name == "t":
        return _Piece(f"t - {lag}", _SUM) if lag else _Piece("t", _ATOM)
    return _Piece(_symbol(name, lag), _ATOM)


def _symbol(name: str, lag: int | None) -> str:
    r"""m_hat, 3 -> \hat{m}_{t-3}; beta1, None -> \beta_{1}."""
    ((base, hat, index),) = re.findall(r"^(.+?)(_hat)?_?(\d*)$", name)
    if base == "eps":
        base = "epsilon"
    if _GREEK.fullmatch(base):
        base = f"\\{base}"
    else:
        base = base.replace("_", r"\_")
        base = base if len(base) == 1 else rf"\mathrm{{{base}}}"
    if hat:
        base = rf"\hat{{{base}}}"
    when = {None: "", 0: "t"}.get(lag, f"t-{lag}")
    subscript = ",".join(part for part in (index, when) if part)
    return f"{base}_{{{subscript}}}" if subscript else base


def _latex_constant(value: float, digits: int) -> _Piece:
    text = f"{value:.{digits}g}"
    if "e" not in text:
        return _Piece(text, _PREFIX if text.startswith("-") else _ATOM)
    mantissa, exponent = text.split("e")
    power = f"10^{{{int(exponent)}}}"
    if mantissa in ("1", "-1"):
        return _Piece(mantissa[:-1] + power, _PREFIX if mantissa == "-1" else _POWER)
    return _Piece(rf"{mantissa} \times {power}", _PRODUCT)


def _latex_operator(name: str, x: _Piece, y: _Piece = _NOTHING) -> _Piece:
    brackets = r"\left({}\right)"
    if name in ("+", "-"):
        right = y.text if name == "+" else y.within(_PRODUCT, brackets)
        if right.startswith("-"):  # a + -b reads a - b, and a - -b reads a + b
            name, right = {"+": "-", "-": "+"}[name], right[1:]
        return _Piece(f"{x.text} {name} {right}", _SUM)
    if name == "*":
        left, right = x.within(_PRODUCT, brackets), y.within(_PRODUCT, brackets)
        if right.startswith("-"):
            right = brackets.format(right)
        sign = r" \cdot " if right[0].isdigit() else r" \, "
        return _Piece(left + sign + right, _PRODUCT)
    if name == "/":
        minus = x.binding >= _PRODUCT and x.text.startswith("-")
        return _Piece(rf"{'-' * minus}\frac{{{x.text[minus:]}}}{{{y.text}}}", _PRODUCT)
    if name == "neg":
        operand = brackets.format(x.text) if x.text.startswith("-") else x.within(_PRODUCT, brackets)
        return _Piece(f"-{operand}", _PRODUCT)
    if name in ("square", "pow"):
        exponent = "2" if name == "square" else y.text
        return _Piece(f"{x.within(_ATOM, brackets)}^{{{exponent}}}", _POWER)
    if name == "sqrt":
        return _Piece(rf"\sqrt{{{x.text}}}", _ATOM)
    if name == "exp":
        return _Piece(f"e^{{{x.text}}}", _POWER)
    if name == "abs":
        return _Piece(rf"\left|{x.text}\right|", _ATOM)
    function = rf"\{name}" if name in _LATEX_FUNCTIONS else rf"\operatorname{{{name}}}"
    return _Piece(function + brackets.format(f"{x.text}, {y.text}" if y.text else x.text), _ATOM)
