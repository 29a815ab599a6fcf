"""What a printed equation leaves unsaid is said where it matters, and only there."""

import pytest

from l2o_core.expressions import conventions, parse


@pytest.mark.parametrize(
    ("text", "operators"),
    [
        ("x + 1", []),
        ("sqrt(x)", ["sqrt"]),
        ("sqrt(x) + log(x) + x^3", ["sqrt", "x^y", "log"]),
        ("sqrt(x^2 * abs(y) + 1) + log(exp(x))", []),
        ("sqrt(max(x, 0.1)) + max(x^2, y)^0.5", []),
        ("sqrt(min(x^2, y)) ", ["sqrt"]),
        ("sqrt(x^2 - 1)", ["sqrt"]),
        ("sqrt(-2 * x^2)", ["sqrt"]),
        ("sqrt(tanh(x^2)) / log(relu(x) / erfc(x))", []),
        ("sqrt(sin(x^2))", ["sqrt"]),
        ("sqrt(sqrt(x^2)) + sqrt(abs(x)^0.3)", []),
    ],
)
def test_conventions_are_those_of_arguments_that_may_be_negative(text, operators):
    found = conventions(parse(text))
    assert [convention.text.split("(x)")[0].split(" ")[0] for convention in found] == operators


def test_equations_printed_together_share_their_conventions():
    both = conventions(parse("log(x)"), parse("sqrt(x)"), parse("2 * sqrt(x)"))
    assert [convention.text for convention in both] == [
        "sqrt(x) means sign(x) sqrt|x|",
        "log(x) means log|x|",
    ]
