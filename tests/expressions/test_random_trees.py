"""Laws that hold for every expression, tried on random ones against NumPy."""

import json
import pickle
import runpy
from pathlib import Path

import numpy as np
import pytest
import sympy
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from l2o_core.errors import ExpressionError
from l2o_core.expressions import OPERATORS, Expression, call, const, parse

NAMES = ("x", "m_hat[0]", "g[3]")
INPUTS = {
    name: np.random.default_rng(seed).normal(size=16) * np.geomspace(1e-3, 1e1, 16)
    for seed, name in enumerate(NAMES)
}

variables = st.sampled_from(NAMES).map(parse)
any_number = st.floats(allow_nan=False, allow_infinity=False).map(const)
tame_number = st.one_of(st.floats(-3, 3), st.sampled_from([0.0, 1.0, 2.0, -1.0, -2.0, 0.5, 1e-8])).map(const)


def trees(numbers, max_leaves=25):
    def branch(children):
        return st.sampled_from(sorted(OPERATORS)).flatmap(
            lambda name: st.tuples(*[children] * OPERATORS[name].arity).map(lambda a: call(name, *a))
        )

    return st.recursive(variables | numbers, branch, max_leaves=max_leaves)


expressions = trees(any_number | tame_number)
numeric = trees(tame_number)
law = settings(derandomize=True, deadline=None, max_examples=300)

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
REFERENCE = runpy.run_path(str(BENCHMARKS / "odd_texts.py"))["NUMPY"]


def reference(tree: Expression, rounding: float = 0.0) -> np.ndarray:
    """The value of `tree` at INPUTS in float64, each step off by `rounding` (and a little even at 0)."""
    noise = np.random.default_rng(0)

    def step(name, *arguments):
        value = REFERENCE[name](*arguments)
        return value + rounding * (np.abs(value) + 1e-3) * noise.uniform(-1, 1, 16)

    with np.errstate(all="ignore"):
        return np.broadcast_to(tree.fold(lambda variable: INPUTS[str(variable)], np.float64, step), 16)


def well_conditioned(tree: Expression) -> np.ndarray:
    """Where rounding errors stay rounding errors."""
    value, other = reference(tree), reference(tree, rounding=1e-13)
    with np.errstate(all="ignore"):
        return np.isfinite(value) & (np.abs(other - value) <= 1e-9 * np.abs(value))


def tensors() -> dict[str, torch.Tensor]:
    return {name: torch.tensor(array) for name, array in INPUTS.items()}


@law
@given(expressions)
def test_text_is_read_back_exactly(tree):
    again = parse(str(tree))
    assert again == tree
    assert repr(again.constants) == repr(tree.constants)  # -0.0 too
    assert pickle.loads(pickle.dumps(tree)) == tree
    assert Expression.from_json(json.loads(json.dumps(tree.to_json()))) == tree


@law
@given(expressions)
def test_no_parenthesis_is_superfluous(tree):
    text = str(tree)
    for opening in (i for i, character in enumerate(text) if character == "("):
        if opening and (text[opening - 1].isalnum() or text[opening - 1] == "_"):
            continue  # a call
        depth = np.cumsum([(c == "(") - (c == ")") for c in text[opening:]])
        closing = opening + int(np.argmax(depth == 0))
        without = text[:opening] + text[opening + 1 : closing] + text[closing + 1 :]
        assert parse(without) != tree


@law
@given(numeric)
def test_torch_agrees_with_numpy(tree):
    steady = well_conditioned(tree)
    assume(steady.any())
    value = tree.evaluate(tensors()).numpy()
    assert value.shape == (16,)
    np.testing.assert_allclose(value[steady], reference(tree)[steady], rtol=1e-8)


@law
@given(numeric)
def test_constants_as_a_tensor_are_the_same_constants(tree):
    steady = well_conditioned(tree)
    assume(steady.any())
    constants = torch.tensor(tree.constants, dtype=torch.float64)
    value = tree.compile()(tensors(), constants).numpy()
    np.testing.assert_allclose(value[steady], reference(tree)[steady], rtol=1e-8)


@law
@given(numeric)
def test_simplifying_keeps_the_value(tree):
    steady, simple = well_conditioned(tree), tree.simplify()
    assert simple.complexity <= tree.complexity
    assert simple.simplify() == simple
    np.testing.assert_allclose(reference(simple)[steady], reference(tree)[steady], rtol=1e-8)


@settings(law, max_examples=100)
@given(trees(tame_number, max_leaves=6))
def test_sympy_agrees_off_the_singular_points(tree):
    steady = well_conditioned(tree)
    (places,) = np.nonzero(steady)
    assume(len(places))
    at = places[-1]
    symbols = {name: sympy.Symbol(name.replace("[", "_").strip("]"), real=True) for name in NAMES}
    values = {symbols[name]: sympy.Float(array[at], 30) for name, array in INPUTS.items()}
    value = tree.sympy().subs(values).evalf(20)
    assume(value.is_Float or value.is_Integer)
    assert float(value) == pytest.approx(reference(tree)[at], rel=1e-7, abs=1e-250)


def is_read_or_refused(text: str) -> bool:
    try:
        tree = parse(text)
    except ExpressionError as error:
        return 0 <= error.position <= len(text)
    return parse(str(tree)) == tree


@law
@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text):
    assert is_read_or_refused(text)


@law
@given(st.text(alphabet="xg2.e-+*/^()[], tanhmi", max_size=20))
def test_nearly_grammatical_text_is_read_or_refused(text):
    assert is_read_or_refused(text)


def test_the_reference_covers_every_operator():
    assert set(REFERENCE) == set(OPERATORS)
