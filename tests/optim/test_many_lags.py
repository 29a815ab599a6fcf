"""Rules with hundreds of lags or levels are planned in no time worth mentioning, and step as they say."""

import pytest
import torch

from l2o_core.expressions import parse
from l2o_core.optim import SymbolicOptimizer


@pytest.mark.parametrize(
    "rule",
    [
        "+".join(f"0.{i + 1:04d}*g[{i}]" for i in range(300)),
        "+".join(f"0.{i + 1:04d}*tanh(g[{i}])" for i in range(300)),
        "g/(1+" * 200 + "g" + ")" * 200,
        "g-(" * 200 + "tanh(g[1])" + ")" * 200,
    ],
    ids=lambda rule: rule[:12],
)
def test_a_long_rule_steps_as_it_says(rule):
    x = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    optimizer = SymbolicOptimizer([x], rule, lr=1.0)
    x.grad = torch.tensor([0.5, -2.0], dtype=torch.float64)
    optimizer.step()
    inputs = {str(v): torch.zeros(2, dtype=torch.float64) for v in parse(rule).variables}
    expected = parse(rule).evaluate(inputs | {"g": x.grad, "g[0]": x.grad})
    torch.testing.assert_close(x.detach(), expected)
