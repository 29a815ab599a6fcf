"""Expressions as values."""

import copy
import pickle

import numpy as np
import pytest
import torch

from l2o_core.errors import ExpressionError
from l2o_core.expressions import MAX_LAG, MAX_NODES, Expression, Variable, call, const, parse, var

x, y = var("x"), var("y")
rule = parse("-0.01 * m_hat[0] / (1 + abs(g_hat[3])) + 0.5 * m_hat[0]")


def test_a_rule_can_be_measured():
    assert rule.complexity == 12
    assert rule.variables == (Variable("m_hat", 0), Variable("g_hat", 3))
    assert [str(variable) for variable in rule.variables] == ["m_hat[0]", "g_hat[3]"]
    assert rule.constants == (-0.01, 1.0, 0.5)


def test_root_and_arguments_take_a_tree_apart():
    tree = parse("min(x * y, tanh(x)) - 3")
    assert tree.root == "-"
    assert tree.arguments == (parse("min(x * y, tanh(x))"), const(3))
    assert tree.arguments[0].arguments == (x * y, call("tanh", x))
    assert tree.arguments[1].root == 3.0
    assert tree.arguments[1].arguments == ()


def test_python_arithmetic_builds_trees():
    assert str(1 - x * 2 / y + -x) == "1 - x * 2 / y + -x"
    assert str(2 + (3 - x)) == "2 + (3 - x)"
    assert str(abs(2 / x)) == "abs(2 / x)"
    assert x**2 == call("square", x)
    assert x**3 == call("pow", x, 3)
    assert 2**x == call("pow", 2, x)
    assert np.float64(0.5) * x == 0.5 * x


def test_equality_is_structural():
    assert parse("x+y") == parse(" x + y ") == x + y
    assert len({x + y, parse("x + y"), y + x}) == 2
    assert x + y != y + x
    assert x != var("x", 0)
    assert x != "x"


def test_expressions_are_immutable():
    with pytest.raises(AttributeError):
        x.program = ()


def test_constants_can_be_replaced():
    tuned = rule.with_constants([1, 2, 3])
    assert str(tuned) == "1 * m_hat[0] / (2 + abs(g_hat[3])) + 3 * m_hat[0]"
    assert rule.with_constants(torch.tensor(rule.constants, dtype=torch.float64)) == rule
    with pytest.raises(ExpressionError, match="has 3 constants, not 2"):
        rule.with_constants([1, 2])


def test_variables_can_be_replaced():
    tree = parse("x * g[1] + x")
    assert tree.substitute({"x": y - 1, "g[1]": 2.0}) == parse("(y - 1) * 2 + (y - 1)")
    assert tree.substitute({"g": 1, "g[2]": 1}) == tree
    assert tree.substitute({"x": var("g", 1), "g[1]": x}) == parse("g[1] * x + g[1]")


@pytest.mark.parametrize("tree", [x, const(-0.1), rule, parse("-(2) ^ x"), parse("1e-300 * pow(x, 2)")])
def test_copies_are_equal(tree):
    assert Expression.from_json(tree.to_json()) == tree
    assert pickle.loads(pickle.dumps(tree)) == tree
    assert copy.deepcopy(tree) == tree
    assert repr(tree) == f"parse('{tree}')"


@pytest.mark.parametrize("value", [None, 1.0, {}, ["x"], "x +", "__import__('os')"])
def test_json_is_validated(value):
    with pytest.raises(ExpressionError):
        Expression.from_json(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**400, "1", None, True, 1j, torch.ones(2)])
def test_constants_are_finite_numbers(value):
    with pytest.raises(ExpressionError, match="finite number"):
        const(value)


@pytest.mark.parametrize("name", ["", "1x", "a b", "x.y", "é", "tanh", "__x", "a__b", "nan", "Inf", "if", 3])
def test_names_are_plain_identifiers(name):
    with pytest.raises(ExpressionError):
        var(name)


@pytest.mark.parametrize("lag", [-1, 1.0, True, MAX_LAG + 1, "0"])
def test_lags_are_whole_numbers(lag):
    with pytest.raises(ExpressionError, match="lag"):
        var("g", lag)


def test_operators_are_checked():
    with pytest.raises(ExpressionError, match="unknown operator 'cosh'"):
        call("cosh", x)
    with pytest.raises(ExpressionError, match="tanh takes 1"):
        call("tanh", x, y)


def test_growth_is_bounded():
    tree = x
    while tree.complexity <= MAX_NODES // 2:
        tree = tree * tree
    with pytest.raises(ExpressionError, match=f"{MAX_NODES} nodes"):
        tree * tree


def test_replacing_variables_is_bounded_before_it_is_done():
    many = parse(" + ".join(["x"] * (MAX_NODES // 2)))
    with pytest.raises(ExpressionError, match=f"more than {MAX_NODES} nodes"):
        many.substitute({"x": many})


def test_expressions_that_differ_in_the_middle_alone_are_two():
    texts = [" + ".join(["tanh(x)"] * 30 + [middle] + ["tanh(x)"] * 30) for middle in ("y", "x", "y")]
    assert len({parse(text) for text in texts}) == 2


def test_a_lopsided_tree_is_an_ordinary_tree():
    chain = x
    for lag in range(1500):
        chain = chain + 0.5 * var("g", lag)
    nested = parse("1 - (" * 2000 + "x" + ")" * 2000)
    for tree in (chain, nested):
        assert parse(str(tree)) == tree == copy.deepcopy(tree)
        assert hash(tree) == hash(parse(str(tree)))
        assert tree.simplify().complexity == tree.complexity
        assert tree.latex()
        value = tree.evaluate({str(variable): torch.ones(2) for variable in tree.variables})
        torch.testing.assert_close(value, torch.full((2,), 751.0 if tree is chain else 1.0))


def test_constants_rounded_to_significant_digits():
    assert parse("0.0123456 * g - 98765.4").rounded(3) == parse("0.0123 * g - 98800")
    assert parse("1.7976931348623157e308 * g").rounded(2) == parse("1.7976931348623157e308 * g")
