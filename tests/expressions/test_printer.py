"""Text with no parenthesis too many, and LaTeX as a paper prints it."""

import pytest

from l2o_core.expressions import parse


@pytest.mark.parametrize(
    "text",
    [
        "x + y - z",
        "x - (y + z)",
        "x * (y + z)",
        "x / (y * z)",
        "x / y * z",
        "-x * y",
        "-(x + y)",
        "-x^2",
        "(-x)^2",
        "x^-y",
        "x^y^z",
        "(x^y)^z",
        "x^-2",
        "(-2)^x",
        "-2^x",
        "-2 * x",
        "-(2)",
        "--2",
        "pow(x, 2)",
        "x^(y * z)",
        "min(x + y, tanh(z))",
        "0.1 * m_hat[0] + 1e-08 * g[19]",
        "1e+300 * x - 5e-324",
        "123456789.12345679",
    ],
)
def test_canonical_text_is_printed_as_it_was_read(text):
    assert str(parse(text)) == text


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("g[0]", "g_{t}"),
        ("g[3]", "g_{t-3}"),
        ("m_hat[3]", r"\hat{m}_{t-3}"),
        ("m_hat", r"\hat{m}"),
        ("beta1 * eps", r"\beta_{1} \, \epsilon"),
        ("w_2[1]", "w_{2,t-1}"),
        ("weight_decay", r"\mathrm{weight\_decay}"),
        ("t / total", r"\frac{t}{\mathrm{total}}"),
        ("g2[1] * sg[0]", r"g_{t-1}^{2} \, \operatorname{sign}\left(g_{t}\right)"),
        ("g2[0]^2", r"\left(g_{t}^{2}\right)^{2}"),
        ("x + -2 * y", r"x - 2 \, y"),
        ("x - -2", "x + 2"),
        ("x + (y - z)", "x + y - z"),
        ("x - (y - z)", r"x - \left(y - z\right)"),
        ("x * 2", r"x \cdot 2"),
        ("x * -2", r"x \, \left(-2\right)"),
        ("-2 * x / y", r"-\frac{2 \, x}{y}"),
        ("--x", r"-\left(-x\right)"),
        ("(x + y)^2.5", r"\left(x + y\right)^{2.5}"),
        ("(x / y)^2", r"\left(\frac{x}{y}\right)^{2}"),
        ("exp(-0.835 * asinh(t))", r"e^{-0.835 \, \operatorname{asinh}\left(t\right)}"),
        ("sqrt(abs(x))", r"\sqrt{\left|x\right|}"),
        ("min(x, 1)", r"\min\left(x, 1\right)"),
        ("1e-8", "10^{-8}"),
        ("-1e-8 + x", "-10^{-8} + x"),
        ("1.25e-8 * x", r"1.25 \times 10^{-8} \, x"),
        ("0.123456789 * x", r"0.1235 \, x"),
    ],
)
def test_latex(text, latex):
    assert parse(text).latex() == latex


def test_latex_digits_and_notebook_display():
    assert parse("0.123456789").latex(digits=7) == "0.1234568"
    assert parse("x")._repr_latex_() == "$x$"


def test_equation_2_reads_as_in_the_paper():
    rule = parse("0.013 * exp(-0.835 * asinh(t)) * (erfc(sinh(g[0]) + 0.1 * tanh(g[1])) - 1)")
    assert rule.latex() == (
        r"0.013 \, e^{-0.835 \, \operatorname{asinh}\left(t\right)} \, "
        r"\left(\operatorname{erfc}\left(\sinh\left(g_{t}\right) + "
        r"0.1 \, \tanh\left(g_{t-1}\right)\right) - 1\right)"
    )
