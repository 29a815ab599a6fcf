"""Compiled functions: inputs, constants, types, sharing."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from l2o_core.errors import ExpressionError
from l2o_core.expressions import const, parse

rule = parse("0.5 * tanh(g[0] * 2) / (1 + abs(g[3]))")


def test_value_by_hand():
    g0, g3 = torch.randn(2, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(
        rule.evaluate({"g[0]": g0, "g[3]": g3, "unused": g0}), 0.5 * torch.tanh(2 * g0) / (1 + g3.abs())
    )


def test_missing_inputs_are_named_beside_those_given():
    with pytest.raises(ExpressionError, match=r"needs g\[3\]; given: g\[0\], x"):
        rule.evaluate({"g[0]": torch.ones(2), "x": torch.ones(2)})
    with pytest.raises(ExpressionError, match="given: nothing"):
        rule.evaluate({})


def test_numbers_and_arrays_can_be_given_too():
    assert parse("x + 1").evaluate({"x": 1.5}) == 2.5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_type_and_broadcasting_follow_the_inputs(dtype):
    value = rule.evaluate({"g[0]": torch.ones(3, 1, dtype=dtype), "g[3]": torch.ones(4, dtype=dtype)})
    assert value.shape == (3, 4)
    assert value.dtype == dtype


def test_an_equation_without_variables_has_the_shape_of_the_inputs():
    value = parse("2 * 3").evaluate({"x": torch.zeros(4, dtype=torch.float64)})
    assert torch.equal(value, torch.full((4,), 6.0, dtype=torch.float64))
    assert const(2).evaluate({}) == 2


def test_gradients_reach_inputs_and_constants():
    g0 = torch.tensor([0.3, -0.2], dtype=torch.float64, requires_grad=True)
    g3 = torch.tensor([0.1, -0.4], dtype=torch.float64, requires_grad=True)
    constants = torch.tensor(rule.constants, dtype=torch.float64, requires_grad=True)
    function = rule.compile()
    assert torch.autograd.gradcheck(lambda a, b, c: function({"g[0]": a, "g[3]": b}, c), (g0, g3, constants))
    torch.testing.assert_close(
        function({"g[0]": g0, "g[3]": g3}, constants), rule.evaluate({"g[0]": g0, "g[3]": g3})
    )


def test_equal_constants_are_tuned_apart():
    function = parse("2 * x + 2 * y").compile()
    inputs = {"x": torch.ones(1), "y": torch.ones(1)}
    assert function(inputs, torch.tensor([3.0, 4.0])) == 7


def test_constants_can_be_batched():
    function = parse("2 * x + 1").compile()
    constants = torch.tensor([[1.0, 2.0, 3.0], [0.0, 0.0, 5.0]])
    value = function({"x": torch.tensor([10.0, 20.0])}, constants[..., None])
    assert value.tolist() == [[10, 20], [20, 40], [35, 65]]
    with pytest.raises(ExpressionError, match="has 2 constants, not 3"):
        function({"x": torch.ones(1)}, torch.ones(3))


class Recorder(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.calls.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


def test_equal_parts_are_computed_once_and_numbers_beforehand():
    function = parse("tanh(x * 3) * y + tanh(x * 3) - exp(2) * tanh(1 * 3)").compile()
    inputs = {"x": torch.ones(2), "y": torch.ones(2)}
    with Recorder() as recorder:
        function(inputs)
    assert sorted(recorder.calls) == ["add", "mul", "mul", "sub", "tanh"]


def test_a_register_is_not_a_number():
    # register 1 (x) and the number 1.0 hash alike
    value = parse("y * x - y * 1").evaluate({"y": torch.tensor(2.0), "x": torch.tensor(5.0)})
    assert value == 8


def test_intermediate_tensors_are_let_go():
    function = parse(" + ".join(f"tanh(x * 0.{i})" for i in range(1, 9))).compile()
    alive = []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            references.append(torch._C._WeakTensorRef(out))
            alive.append(sum(not reference.expired() for reference in references))
            return out

    references = []
    with Watch():
        function({"x": torch.ones(2)})
    assert max(alive) <= 10


def test_torch_compile_traces_it_whole():
    function = rule.compile()
    compiled = torch.compile(function, backend="eager", fullgraph=True)
    inputs = {"g[0]": torch.linspace(-1, 1, 5), "g[3]": torch.ones(5)}
    constants = torch.tensor(rule.constants)
    torch.testing.assert_close(compiled(inputs), function(inputs))
    torch.testing.assert_close(compiled(inputs, constants), function(inputs, constants))


def test_transforms_of_torch_func():
    function = parse("c * x ^ 2").compile()
    slope = torch.func.vmap(torch.func.grad(lambda x: function({"x": x, "c": torch.tensor(3.0)})))
    torch.testing.assert_close(slope(torch.tensor([1.0, 2.0])), torch.tensor([6.0, 12.0]))
