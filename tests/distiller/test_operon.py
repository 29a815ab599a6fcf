"""Operon's trees mean the same here as there, operator by operator."""

import numpy as np
import pytest
import torch
from pyoperon.sklearn import SymbolicRegressor

from l2o_core.distiller.engines import operon
from l2o_core.expressions import call, var

OTHERS = ("fmax", "sinh", "powabs", "logabs", "cos", "sin")


@pytest.mark.parametrize("symbol", [*operon.SYMBOLS, *OTHERS])
def test_an_operator_is_translated(symbol):
    generator = np.random.default_rng(1)
    X = generator.uniform(0.5, 2, size=(40, 3))
    regressor = SymbolicRegressor(
        allowed_symbols=",".join({"add", "mul", symbol, "constant", "variable"}),
        objectives=["r2", "length"],
        population_size=100,
        generations=2,
        max_length=12,
        n_threads=1,
        random_state=1,
    )
    with np.errstate(all="ignore"):
        regressor.fit(X, generator.normal(size=40))
    variables = {key: var(name) for key, name in zip(regressor.variables_, "xyz", strict=True)}
    inputs = dict(zip("xyz", torch.tensor(X.T).unbind(), strict=True))
    for individual in regressor.individuals_:
        theirs = regressor.evaluate_model(individual.Genotype, X)  # in float32
        ours = operon.expression(individual.Genotype, variables).evaluate(inputs).expand(40).numpy()
        valued = np.isfinite(theirs) & (np.abs(theirs) < 1e4)
        np.testing.assert_allclose(ours[valued], theirs[valued], rtol=2e-2, atol=2e-2)


def test_the_analytic_quotient():
    x, y = var("x"), var("y")
    assert operon._OPERATORS["aq"](x, y) == x / call("sqrt", 1 + call("square", y))
