"""The history of a rule: the least that has to be stored, and the same updates as with all of it."""

import pytest
import torch

from l2o_core.expressions import parse
from l2o_core.optim import SymbolicOptimizer, zoo
from l2o_core.optim._compile.history import find_history
from tests.optim.reference import RECURRENT, updates
from tests.optim.test_zoo import options

GRADIENTS = torch.randn(15, 6, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


@pytest.mark.parametrize(
    ("rule", "streamed", "streams"),
    [
        ("-g[0]", "-g[0]", {}),
        ("-sinh(g[0]) * g[0]", "-sinh(g[0]) * g[0]", {}),
        ("g[2]", "stream0[2]", {"stream0": ("g[0]", 2)}),
        ("2 * tanh(g[0]) - tanh(g[3])", "2 * stream0[0] - stream0[3]", {"stream0": ("tanh(g[0])", 3)}),
        ("tanh(g[3]) / 4", "stream0[3] / 4", {"stream0": ("tanh(g[0])", 3)}),
        ("tanh(m[1] * g[1]) * g[0]", "stream0[1] * g[0]", {"stream0": ("tanh(m[0] * g[0])", 1)}),
        ("exp(g[1] + g[2])", "exp(stream0[1] + stream0[2])", {"stream0": ("g[0]", 2)}),
        ("sqrt(g[0]^2 + g[1]^2)", "sqrt(stream0[0] + stream0[1])", {"stream0": ("g[0] ^ 2", 1)}),
        ("tanh(1 + g[2])", "stream0[2]", {"stream0": ("tanh(1 + g[0])", 2)}),
        ("1 / g[1]", "stream0[1]", {"stream0": ("1 / g[0]", 1)}),
        # two functions of one past would take twice the memory
        ("tanh(g[3]) + sinh(g[3])", "tanh(stream0[3]) + sinh(stream0[3])", {"stream0": ("g[0]", 3)}),
        (
            "tanh(g[3]) + sinh(m[1])",
            "stream0[3] + stream1[1]",
            {"stream0": ("tanh(g[0])", 3), "stream1": ("sinh(m[0])", 1)},
        ),
    ],
)  # fmt: skip
def test_the_past_is_stored_as_it_is_read(rule, streamed, streams):
    found = find_history(parse(rule))
    assert found.rule == parse(streamed)
    stored = {name: (stream, found.lengths[name]) for name, stream in found.streams.items()}
    assert stored == {name: (parse(text), depth) for name, (text, depth) in streams.items()}


def test_what_a_rule_computes_is_in_no_stream():
    states = {"p": parse("0.9 * p[1] + tanh(2 * g[3])")}
    found = find_history(parse("tanh(p[0] + g[1]) - tanh(u[1]) * theta[0] - tanh(2 * g[0])"), states)
    assert found.rule == parse("tanh(p[0] + stream0[1]) - tanh(u[1]) * theta[0] - tanh(2 * stream0[0])")
    assert found.states == {"p": parse("0.9 * p[1] + tanh(2 * stream0[3])")}
    assert found.lengths == {"stream0": 3}


def test_depth_costs_nothing():
    """As deep as expressions may be, and all on one side."""
    rule = " + ".join(f"0.01 * tanh(g[{lag}])" for lag in range(1500))
    found = find_history(parse(rule))
    assert found.lengths == {"stream0": 1499}


def updates_of(rule, gradients=GRADIENTS, **values) -> torch.Tensor:
    """The updates that the optimizer makes, lr = 1."""
    p = torch.nn.Parameter(torch.zeros(gradients.shape[1], dtype=gradients.dtype))
    optimizer, out = SymbolicOptimizer([p], rule, lr=1.0, **values), []
    for g in gradients:
        before = p.detach().clone()
        p.grad = g.clone()
        optimizer.step()
        out.append(p.detach() - before)
    return torch.stack(out)


@pytest.mark.parametrize(
    "rule",
    [
        "exp(-g[2]) + exp(g[1])",  # 1, not 0, before the first step
        "cos(g[1]) * m_hat[0] + cos(g[4])",
        "tanh(0.3 * g[0] + 0.2 * g[1] + 0.1 * m[5]) - sign(g_hat[2] * g[2])",
        "t[2] * g[1] / t[0]",
        "1 / (1 + abs(g[1] + g[2])) + sqrt(g[3]) ^ 1.5",
        "n_hat[0] - 0.5 * tanh(n_hat[1]) + 0.1 * n_hat[7]",
        "-0.5",
        "b[0] + b[1] - s[3] * sm[1] + sg[0] * ag[2] * g2[1] * g3[0]",
        *RECURRENT,
        " - ".join(f"0.0{9 - lag} * tanh(g[{lag}])" for lag in range(9)) + " - 0.1 * theta",  # in turns
    ],
)
def test_updates_are_those_of_the_whole_history(rule):
    expected = updates(rule, GRADIENTS, beta1=0.9, beta2=0.99, eps=1e-3)
    found = updates_of(rule, beta1=0.9, beta2=0.99, eps=1e-3)
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", zoo.names())
def test_the_whole_zoo_follows_its_equations(name):
    given = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, **zoo.get(name).defaults, **options(name)}
    expected = updates(zoo.get(name).equation, GRADIENTS, **given)
    found = updates_of(name, **options(name), weight_decay=0.0)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-11)


def test_the_powers_of_n_hat_can_be_given():
    powers = {"k1": 1.0, "k2": -0.3, "l1": 0.7, "l2": 0.1, "alpha1": 0.4, "alpha2": 0.1}
    expected = updates("n_hat", GRADIENTS, beta1=0.9, beta2=0.999, **powers)
    torch.testing.assert_close(updates_of("n_hat", **powers), expected)
    assert not torch.allclose(updates_of("n_hat"), expected)
