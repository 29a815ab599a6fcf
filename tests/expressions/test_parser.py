"""The grammar: what is read, and that everything else is refused, in place and at once."""

import pytest

from l2o_core.errors import ExpressionError, L2OError
from l2o_core.expressions import FUNCTIONS, MAX_LAG, MAX_LENGTH, MAX_NODES, call, const, parse, var

x, y, z = var("x"), var("y"), var("z")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("x", x),
        ("  m_hat [ 3 ]\n", var("m_hat", 3)),
        ("x + y * z", x + y * z),
        ("(x + y) * z", (x + y) * z),
        ("x - y - z", (x - y) - z),
        ("x / y / z", (x / y) / z),
        ("x / y * z", (x / y) * z),
        ("x ^ y ^ z", call("pow", x, call("pow", y, z))),
        ("x ** y", call("pow", x, y)),
        ("-x * y", (-x) * y),
        ("-x ^ y", -call("pow", x, y)),
        ("x ^ -y * z", call("pow", x, -y) * z),
        ("--x", call("neg", call("neg", x))),
        ("x - -y", x - (-y)),
        ("min(x, max(y, z))", call("min", x, call("max", y, z))),
        ("neg(x)", -x),
        ("tanh((x))", call("tanh", x)),
    ],
)
def test_structure(text, tree):
    assert parse(text) == tree


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("2", const(2)),
        (".5", const(0.5)),
        ("5.", const(5)),
        ("1e-8", const(1e-8)),
        ("1.5E+3", const(1500)),
        ("-2", const(-2)),
        ("- 2 * x", const(-2) * x),
        ("x - 2", x - 2),
        ("x * -2", x * -2),
        ("-2 ^ x", -call("pow", const(2), x)),
        ("-2 ** x", -call("pow", const(2), x)),
        ("(-2) ^ x", call("pow", const(-2), x)),
        ("-12.5 ^ x", -call("pow", const(12.5), x)),
        ("-(2)", -const(2)),
    ],
)
def test_a_minus_belongs_to_the_number_unless_a_power_follows(text, tree):
    assert parse(text) == tree


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("x ^ 2", call("square", x)),
        ("x ** 2.0", call("square", x)),
        ("x ^ (2)", call("square", x)),
        ("x ^ y ^ 2", call("pow", x, call("square", y))),
        ("pow(x, 2)", call("pow", x, const(2))),
        ("x ^ -2", call("pow", x, const(-2))),
        ("x ^ 2 ^ y", call("pow", x, call("pow", const(2), y))),
    ],
)
def test_the_power_2_is_the_square(text, tree):
    assert parse(text) == tree


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("", 0, "expected a number, a variable or a function, found the end"),
        ("  ", 2, "found the end"),
        ("x +", 3, "found the end"),
        ("x y", 2, "expected an operator, found 'y'"),
        ("2x", 1, "found 'x'"),
        ("+x", 0, "found '+'"),
        ("x * / y", 4, "found '/'"),
        ("(x", 0, "never closed"),
        ("x + tanh(y", 4, "never closed"),
        ("x)", 1, "without an opening"),
        ("x, y", 1, "without an opening"),
        ("(x, y)", 0, "comma"),
        ("min(x)", 0, "min takes 2 argument"),
        ("y + tanh(x, y)", 4, "tanh takes 1 argument"),
        ("tanh()", 5, "found ')'"),
        ("foo(x)", 0, "unknown function 'foo'; known functions: pow, min"),
        ("x + tanh", 4, "write tanh(...)"),
        ("x[1](y)", 4, "found '('"),
        ("g[-1]", 1, "a lag is a whole number"),
        ("g[1.5]", 1, "a lag is a whole number"),
        ("g[x]", 1, "a lag is a whole number"),
        (f"x + g[{MAX_LAG + 1}]", 4, "the lag of g"),
        ("1e999", 0, "too large"),
        ("x - 1e999", 4, "too large"),
        ("nan", 0, "reserved"),
        ("1 + inf", 4, "reserved"),
        ("x * -Infinity", 5, "reserved"),
    ],
)
def test_mistakes_are_pointed_at(text, position, message):
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert message in str(caught.value)
    assert caught.value.position == position
    assert caught.value.text == text


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "().__class__.__bases__",
        "__class__",
        "x.__dict__",
        "lambda: 0",
        "lambda",
        "(lambda x: x)(1)",
        "eval(x)",
        "exec",
        "[x for x in y]",
        "x if y else z",
        "x; y",
        "x = y",
        "x := y",
        "'x'",
        '"x"',
        "f'{x}'",
        "x @ y",
        "x // y",
        "x % y",
        "x # y",
        "x\\",
        "x\0",
        "{x}",
        "$x$",
        "1_000",
        "0x10",
        "1j",
        "еxp(x)",  # Cyrillic
        "ｘ",  # full width
        "x − y",  # minus sign
        "x × y",
        "x²",
        "１",
        "x\u200b",
        "x\u00a0+ y",
        "\ud800",
    ],
)
def test_nothing_else_is_understood(text):
    if text == "exec":
        assert parse(text) == var("exec")  # a name like any other: it names nothing but a variable
        return
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert 0 <= caught.value.position <= len(text)


def test_look_alikes_are_named():
    with pytest.raises(ExpressionError, match="cyrillic small letter ie"):
        parse("еxp(x)")


@pytest.mark.parametrize("value", [None, 3, 2.5, b"x", ["x"], x])
def test_only_text_is_read(value):
    with pytest.raises(ExpressionError, match="from text, not from") as caught:
        parse(value)
    assert caught.value.position == 0


@pytest.mark.parametrize(
    "text",
    [
        "(" * 10**5 + "x" + ")" * 10**5,
        "(" * 10**5,
        "tanh(" * 10**4 + "x" * 10**4,
        "-" * 10**5 + "x",
        "x^" * 10**5 + "x",
        "x+" * 10**5 + "x",
        "min(" * 10**5,
        "x" * 10**6,
        "9" * 10**6,
        "9" * (MAX_LENGTH - 1),
        " " * 10**6,
        " " * (MAX_LENGTH - 1),
        "x " * (MAX_LENGTH // 2),
        "x[" * (MAX_LENGTH // 2),
        "x" * (MAX_LENGTH - 1) + "(",
    ],
    ids=lambda text: f"{text[:5]}…{len(text)}",
)
def test_size_and_depth_are_bounded(text):
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert caught.value.position is not None
    assert len(str(caught.value)) < 500


def test_nesting_up_to_the_bound_is_read():
    depth = MAX_NODES - 1
    assert parse("(" * depth + "x" + ")" * depth) == x
    assert parse("abs(" * depth + "x" + ")" * depth).complexity == MAX_NODES
    assert parse(" + ".join(["x"] * (MAX_NODES // 2))).complexity == MAX_NODES - 1


def test_errors_are_ours_and_a_value_error():
    assert issubclass(ExpressionError, L2OError)
    assert issubclass(ExpressionError, ValueError)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_is_called_by_its_name(name):
    text = f"{name}(x, y)" if name in ("pow", "min", "max") else f"{name}(x)"
    assert parse(text).root == name
