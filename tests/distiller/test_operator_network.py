import numpy as np
import pytest

from l2o_core.distiller import distill, engines
from l2o_core.distiller.engines import OperatorNetwork
from l2o_core.errors import ConfigError

FEW = OperatorNetwork(steps=400, copies=1)


@pytest.fixture(scope="module")
def rows():
    X = np.random.default_rng(0).normal(size=(300, 3))
    return X, 0.5 * X[:, 0] * X[:, 1] - np.tanh(X[:, 2])


def test_the_network_finds_the_equation_that_made_the_rows(rows):
    front = distill(*rows, engine=FEW, time_limit=1000, max_complexity=9)
    assert front.engine == "sol"
    assert front.best.r2 > 1 - 1e-9
    assert str(front.best.equation) in ("0.5 * (x0 * x1) - tanh(x2)", "0.5 * (x1 * x0) - tanh(x2)")


def test_a_search_that_comes_to_its_last_step_can_be_repeated(rows):
    short = OperatorNetwork(steps=30, copies=1)
    first, second = (distill(*rows, engine=short, time_limit=1000, max_complexity=10, seed=3) for _ in "ab")
    assert list(map(str, first)) == list(map(str, second))


def test_rows_on_which_an_exponential_overflows_do_no_harm():
    X = np.random.default_rng(0).standard_t(1, size=(500, 2)) ** 3
    front = distill(
        X, 2 * X[:, 0], engine=OperatorNetwork(steps=30, copies=1), time_limit=1000, max_complexity=9
    )
    assert all(np.isfinite(entry.loss) for entry in front)


def test_the_engine_goes_by_the_name_of_the_paper():
    assert isinstance(engines.get("sol"), OperatorNetwork)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"operators": ("cosh",)}, "operators must be of identical"),
        ({"operators": ()}, "not none"),
        ({"copies": 0}, "copies must be positive"),
        ({"lr": -1.0}, "lr must be positive"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        OperatorNetwork(**options)
