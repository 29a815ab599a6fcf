"""Operon's trees mean the same here as there, for every operator."""

import numpy as np
import pyoperon
import pytest
import torch
from pyoperon.sklearn import SymbolicRegressor

from l2o_core.distiller.engines import operon
from l2o_core.expressions import call, var

SYMBOLS = (*operon.SYMBOLS, "fmin", "sinh", "powabs", "logabs", "cos", "sin")


@pytest.mark.parametrize("seed", range(3))
def test_trees_are_translated(seed):
    generator = np.random.default_rng(seed)
    X = generator.uniform(0.5, 2, size=(50, 3))
    regressor = SymbolicRegressor(
        allowed_symbols=",".join((*SYMBOLS, "constant", "variable")),
        objectives=["r2", "length"],
        population_size=200,
        generations=3,
        max_length=25,
        n_threads=1,
        random_state=seed,
    )
    with np.errstate(all="ignore"):
        regressor.fit(X, generator.normal(size=50))
    names = dict(zip(regressor.variables_, "xyz", strict=True))
    variables = {key: var(name) for key, name in names.items()}
    inputs = dict(zip("xyz", torch.tensor(X.T).unbind(), strict=True))
    used = set()
    for individual in regressor.individuals_:
        expected = regressor.evaluate_model(individual.Genotype, X)
        equation = operon.expression(individual.Genotype, variables)
        used |= {node for node in equation.program if isinstance(node, str)}
        value = equation.evaluate(inputs).expand(50).numpy()
        fine = np.isfinite(expected) & (np.abs(expected) < 1e4)
        # Operon computes in float32, and a square root of a negative number has no value there.
        np.testing.assert_allclose(value[fine], expected[fine], rtol=2e-2, atol=2e-2)
    assert {"min", "max", "/", "sqrt", "tanh", "exp", "square", "pow", "log", "sinh"} <= used


def test_the_analytic_quotient():
    x, y = var("x"), var("y")
    assert operon._OPERATORS["aq"](x, y) == x / call("sqrt", 1 + call("square", y))
    assert pyoperon.__name__  # the wheel loads
