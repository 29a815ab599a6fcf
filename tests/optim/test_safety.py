"""Steps that are safe, compiled or not: the state is the truth, nothing outside of a tensor is touched."""

import copy
import io
import shutil
import threading
from collections import defaultdict

import pytest
import torch
from torch import nn

from l2o_core.errors import ConfigError
from l2o_core.optim import SymbolicOptimizer

has_compiler = pytest.mark.skipif(not shutil.which("g++"), reason="needs a C++ compiler")
compiled = pytest.fixture(params=[False, pytest.param(True, marks=has_compiler)], ids=["eager", "compiled"])(
    lambda request: request.param
)
size = pytest.mark.parametrize("n", [6, 5000], ids=["small", "large"])
RULE = "-m - 0.5 * tanh(g[2])"
SYSTEM = "p = 0.9 * p[1] + q[2]; q = tanh(g[2]) - 0.1 * theta; 0.5 * u[1] - p - 0.1 * m"
rules = pytest.mark.parametrize("rule", [RULE, SYSTEM], ids=["features", "system"])


def parameter(*shape: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> nn.Parameter:
    return nn.Parameter(torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype))


def stepped(params: list, optimizer: torch.optim.Optimizer, steps: int = 3, seed: int = 0) -> None:
    """Steps with gradients that depend on the seed alone."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        for p in params:
            p.grad = torch.randn(p.shape, generator=generator).to(p.dtype)
        optimizer.step()


def as_loaded(params: list, optimizer: SymbolicOptimizer) -> tuple[list, SymbolicOptimizer]:
    """Copies that have read the optimizer's state."""
    own = [p.detach().clone().requires_grad_() for p in params]
    twin = SymbolicOptimizer(own, optimizer.rule, compile=optimizer.param_groups[0]["compile"])
    twin.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    return own, twin


class TestTheStateIsTheTruth:
    @rules
    @pytest.mark.parametrize("how", ["clear", "replace"])
    def test_a_state_that_was_emptied_starts_afresh(self, compiled, how, rule):
        params = [parameter(3), parameter(100, 100)]
        optimizer = SymbolicOptimizer(params, rule, compile=compiled)
        stepped(params, optimizer)
        if how == "clear":
            optimizer.state.clear()
        else:
            optimizer.state = defaultdict(dict)
        own = [p.detach().clone().requires_grad_() for p in params]
        stepped(params, optimizer, 2)
        stepped(own, SymbolicOptimizer(own, rule, compile=compiled), 2)
        assert all(map(torch.equal, params, own))
        assert [optimizer.state[p]["step"] for p in params] == [2, 2]

    def test_one_parameter_may_start_afresh(self, compiled):
        params = [parameter(3), parameter(4), parameter(5000)]
        optimizer = SymbolicOptimizer(params, "adam", compile=compiled)
        stepped(params, optimizer)
        del optimizer.state[params[0]]
        optimizer.state[params[1]]["step"] = 10
        stepped(params, optimizer, 2)
        assert [optimizer.state[p]["step"] for p in params] == [2, 12, 5]

    @size
    @rules
    @pytest.mark.parametrize("how", ["clone", "wider", "data"])
    def test_tensors_of_the_state_may_be_replaced(self, compiled, n, how, rule):
        params = [parameter(n)]
        optimizer = SymbolicOptimizer(params, rule, compile=compiled)
        stepped(params, optimizer)
        for name, value in optimizer.state[params[0]].items():
            if how == "data" and torch.is_tensor(value):
                value.data = value.data.clone()
            elif torch.is_tensor(value):
                optimizer.state[params[0]][name] = value.clone() if how == "clone" else value.double()
        own, twin = as_loaded(params, optimizer)
        stepped(params, optimizer, 4, seed=1)
        stepped(own, twin, 4, seed=1)
        assert torch.equal(*params, *own)
        assert torch.equal(optimizer.state[params[0]]["m"], twin.state[own[0]]["m"])

    @size
    def test_a_reset_by_assignment_takes_effect(self, compiled, n):
        p = parameter(n)
        optimizer = SymbolicOptimizer([p], "momentum", compile=compiled)
        stepped([p], optimizer)
        optimizer.state[p]["b"], before = torch.zeros(n), p.detach().clone()
        p.grad = torch.zeros(n)
        optimizer.step()
        assert torch.equal(p, before)

    @pytest.mark.parametrize("n", [3, 70])
    @pytest.mark.parametrize("how", ["t_", "data"])
    def test_a_state_transposed_in_place_takes_effect(self, compiled, n, how):
        p = parameter(n, n)
        optimizer = SymbolicOptimizer([p], "momentum", lr=1.0, compile=compiled)
        stepped([p], optimizer)
        state, before = optimizer.state[p]["b"], p.detach().clone()
        if how == "t_":
            state.t_()
        else:
            state.data = state.data.t()
        expected = 0.9 * state.clone()
        p.grad = torch.zeros(n, n)
        optimizer.step()
        torch.testing.assert_close(optimizer.state[p]["b"], expected, rtol=1e-6, atol=0)
        torch.testing.assert_close(p.detach(), before - expected, rtol=1e-6, atol=1e-6)

    @pytest.mark.parametrize("n", [3, 70])
    def test_a_state_cut_in_place_is_refused(self, compiled, n):
        p = parameter(n, n)
        optimizer = SymbolicOptimizer([p], "momentum", compile=compiled)
        stepped([p], optimizer)
        optimizer.state[p]["b"].data = optimizer.state[p]["b"].data[:-1]
        with pytest.raises(ConfigError, match=r"clear optimizer\.state"):
            optimizer.step()

    @pytest.mark.parametrize("rows", [50, 150])
    def test_a_resized_parameter(self, compiled, rows):
        whole = torch.zeros(200, 100)
        p = nn.Parameter(whole[:100])
        plain = SymbolicOptimizer([p], "sgd", lr=1.0, compile=compiled)
        with_state = SymbolicOptimizer([p], "momentum", lr=1.0, compile=compiled)
        for optimizer in (plain, with_state):
            p.grad = torch.ones_like(p)
            optimizer.step()
        p.data = whole[:rows]
        with pytest.raises(ConfigError, match="call zero_grad"):
            plain.step()
        p.grad = torch.ones_like(p)
        plain.step()
        assert whole[:50].eq(-3).all()
        assert whole[rows:].eq(0 if rows > 100 else -2)[: 100 - rows].all()
        with pytest.raises(ConfigError, match=r"holds b of \(100, 100\).*clear optimizer.state"):
            with_state.step()
        with_state.state.clear()
        with_state.step()
        assert whole[:50].eq(-4).all()

    @pytest.mark.parametrize("value", ["x", -1, 2.5, True, torch.ones(2)])
    def test_a_step_count_that_is_none(self, compiled, value):
        p = parameter(3)
        optimizer = SymbolicOptimizer([p], "adam", compile=compiled)
        stepped([p], optimizer, 1)
        optimizer.state[p] = {**optimizer.state[p], "step": value}
        with pytest.raises(ConfigError, match="step must be a whole number"):
            optimizer.step()


class TestMemory:
    @size
    @pytest.mark.parametrize("own", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
    @pytest.mark.parametrize("other", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
    def test_gradients_of_another_type(self, compiled, n, own, other):
        p = nn.Parameter(torch.zeros(n, dtype=own))
        p.grad_dtype = other
        p.grad = torch.full((n,), 0.5, dtype=other)
        SymbolicOptimizer([p], "sgd", lr=1.0, compile=compiled).step()
        assert p.eq(-0.5).all()

    @size
    def test_gradients_of_other_layouts(self, compiled, n):
        one = torch.ones(n)
        imaginary = (1j * one).conj().imag  # negative by a flag, not by its bits
        forms = {"expanded": torch.ones(1).expand(n), "gaps": torch.ones(n, 2)[:, 0], "flag": imaginary}
        forms["no memory"] = torch._efficientzerotensor(n)
        for name, g in forms.items():
            p = nn.Parameter(torch.zeros(n))
            p.grad = g
            SymbolicOptimizer([p], "sgd", lr=1.0, compile=compiled).step()
            assert torch.equal(p, -1.0 * g), name

    @size
    @pytest.mark.parametrize("what", ["parameter", "gradient", "b", "w.0", "u.0"])
    def test_memory_that_was_freed_is_not_touched(self, compiled, n, what):
        p = parameter(n)
        rule = "momentum" if what == "b" else "w = 0.9 * w[1] + g; u[1] - w"
        optimizer = SymbolicOptimizer([p], rule, compile=compiled)
        stepped([p], optimizer)
        tensor = {"parameter": p, "gradient": p.grad, **optimizer.state[p]}[what]
        tensor.untyped_storage().resize_(0)
        with pytest.raises(ConfigError, match="was freed or resized: 0 of"):
            optimizer.step()

    @pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
    @size
    @pytest.mark.parametrize("kind", ["meta", "sparse", "mkldnn", "nested", "complex", "numpy"])
    def test_a_state_of_numbers_that_cannot_be_read_is_refused(self, compiled, n, kind):
        p = parameter(n)
        optimizer = SymbolicOptimizer([p], "momentum", compile=compiled)
        stepped([p], optimizer)
        before, b = p.detach().clone(), optimizer.state[p]["b"].clone()
        forms = {"meta": b.to("meta"), "sparse": b.to_sparse(), "mkldnn": b.to_mkldnn(), "numpy": b.numpy()}
        forms |= {"nested": torch.nested.nested_tensor([b]), "complex": b.to(torch.complex64)}
        optimizer.state[p]["b"] = forms[kind]
        with pytest.raises(ConfigError, match=r"holds b of .*clear optimizer\.state"):
            optimizer.step()
        assert torch.equal(p, before)

    @size
    def test_parameters_that_share_memory_step_one_after_the_other(self, compiled, n):
        ends = []
        for groups in (1, 2):
            memory = torch.arange(float(n))
            params = [nn.Parameter(memory), nn.Parameter(memory[n // 3 : n // 2]), nn.Parameter(memory[-2:])]
            parts = [params] if groups == 1 else [[p] for p in params]
            made = [SymbolicOptimizer(part, "adamw", lr=0.1, compile=compiled) for part in parts]
            for _ in range(3):
                for p in params:
                    p.grad = torch.ones_like(p)
                for optimizer in made:
                    optimizer.step()
            ends.append(memory)
        torch.testing.assert_close(*ends, rtol=1e-6, atol=1e-6)

    @size
    @pytest.mark.parametrize("what", ["parameter", "state"])
    @pytest.mark.parametrize("rule", ["-0.1 * g - 0.5 * g[1] - 0.2 * g[3]", "w = 0.5 * w[1] + g; -0.1 * w"])
    def test_a_gradient_may_be_the_memory_that_a_step_writes(self, compiled, n, what, rule):
        ends = []
        for own in (False, True):
            p = parameter(n)
            optimizer = SymbolicOptimizer([p], rule, lr=1.0, compile=compiled)
            stepped([p], optimizer, 1)
            for _ in range(4):
                slot = next(name for name in optimizer.state[p] if name != "step")
                g = p.data if what == "parameter" else optimizer.state[p][slot]
                p.grad = g.clone() if own else g
                optimizer.step()
            ends.append(p.detach())
        assert torch.equal(*ends)

    def test_parameters_without_numbers_step_too(self, compiled):
        for shapes in ([(0,)], [(3,), (0, 2)], [(5000,), (0,)]):
            params = [parameter(*shape) for shape in shapes]
            before = [p.detach().clone() for p in params]
            for rule in (RULE, SYSTEM, "adam"):
                stepped(params, SymbolicOptimizer(params, rule, compile=compiled), 2)
            assert all(p.isfinite().all() for p in params)
            assert all(torch.equal(p, old) == (p.numel() == 0) for p, old in zip(params, before, strict=True))

    def test_an_empty_parameter_of_another_type_steps_with_the_others(self, compiled):
        params = [parameter(4), parameter(0, dtype=torch.float64)]
        optimizer = SymbolicOptimizer(params, "sgd", lr=1.0, compile=compiled)
        stepped(params, optimizer, 2)
        assert [optimizer.state[p]["step"] for p in params] == [2, 2]

    @size
    def test_numbers_that_are_one_are_refused(self, compiled, n):
        p = nn.Parameter(torch.zeros(1).expand(n))
        p.grad = torch.ones(n)
        with pytest.raises(ConfigError, match="share memory with each other"):
            SymbolicOptimizer([p], "sgd", compile=compiled).step()

    @pytest.mark.parametrize("kind", [torch.complex64, "sparse", "other shape"])
    def test_what_no_rule_works_on_moves_nothing(self, compiled, kind):
        p, q = parameter(5000), parameter(4)
        before = p.detach().clone()
        if kind == torch.complex64:
            q = nn.Parameter(q.detach().to(kind))
        optimizer = SymbolicOptimizer([{"params": [p]}, {"params": [q]}], "sgd", compile=compiled)
        p.grad, q.grad = torch.ones_like(p), torch.ones_like(q)
        if kind == "sparse":
            q.grad = torch.ones_like(q).to_sparse()
        elif kind == "other shape":
            q.data = q.data[:2]
        with pytest.raises(ConfigError):
            optimizer.step()
        assert torch.equal(p, before)

    @size
    @pytest.mark.parametrize("kind", ["negative", "inference"])
    def test_parameters_that_pytorch_lets_nobody_write_to_move_nothing(self, compiled, n, kind):
        with torch.inference_mode(kind == "inference"):
            p = nn.Parameter(torch.zeros(n) if kind == "inference" else (1j * torch.zeros(n)).conj().imag)
        q = parameter(3)
        before, q.grad, p.grad = q.detach().clone(), torch.ones(3), torch.ones(n)
        with pytest.raises(ConfigError, match=r"optimize a clone\(\)"):
            SymbolicOptimizer([q, p], "sgd", compile=compiled).step()
        assert torch.equal(q, before)

    def test_parameters_of_inference_step_there(self, compiled):
        with torch.inference_mode():
            p = nn.Parameter(torch.zeros(5000))
            p.grad = torch.ones(5000)
            SymbolicOptimizer([p], "sgd", lr=1.0, compile=compiled).step()
        assert p.eq(-1).all()

    @size
    def test_autograd_knows_of_the_change(self, compiled, n):
        p = parameter(n)
        loss = p.square().sum()
        stepped([p], SymbolicOptimizer([p], "sgd", compile=compiled))
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            loss.backward()


class TestPrecision:
    @pytest.mark.parametrize("burst", [3e19, 1e20])
    @pytest.mark.parametrize("rule", ["adam", "amsgrad"])
    def test_adam_survives_a_burst_of_gradient_as_pytorchs_does(self, compiled, rule, burst):
        ours, theirs = parameter(3), parameter(3)
        optimizers = (
            SymbolicOptimizer([ours], rule, compile=compiled),
            torch.optim.Adam([theirs], amsgrad=rule == "amsgrad"),
        )
        generator = torch.Generator().manual_seed(0)
        for step in range(1600):
            g = torch.randn(3, generator=generator) * (burst if step == 1500 else 1.0)
            for p, optimizer in zip((ours, theirs), optimizers, strict=True):
                p.grad = g.clone()
                optimizer.step()
        assert ours.isfinite().all()
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
        second = optimizers[0].state[ours]["v" if rule == "adam" else "q.0"]
        torch.testing.assert_close(second, optimizers[1].state[theirs]["exp_avg_sq"], rtol=1e-3, atol=0)

    @pytest.mark.parametrize("beta2", [0.99999, 0.9999999])
    @pytest.mark.parametrize("rule", ["adam", "amsgrad"])
    def test_the_first_steps_are_adams_where_beta2_is_close_to_1(self, compiled, rule, beta2):
        ours, theirs = nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(3))
        options = {"lr": 1.0, "betas": (0.9, beta2)}
        optimizers = (
            SymbolicOptimizer([ours], rule, compile=compiled, **options),
            torch.optim.Adam([theirs], amsgrad=rule == "amsgrad", **options),
        )
        for _ in range(5):
            for p, optimizer in zip((ours, theirs), optimizers, strict=True):
                p.grad = torch.tensor([1.0, -0.3, 2.0])
                optimizer.step()
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=0)

    @pytest.mark.parametrize(
        "rule",
        [
            "-g * (1 - c^t)",
            "-g * (1 - c^t) + 0 * g[3]",
            "-tanh(g[1]) * (1 - c^t) - tanh(g) * 0.9999999^t",
            "p = (1 - c^t) * g + t * c; 0.5 * u[1] - p / (1 - c^(t + 1)) + 0.1 * p[2]",
        ],
    )
    def test_what_is_made_of_the_number_of_the_step_keeps_its_digits(self, compiled, rule):
        ends = {}
        for dtype in (torch.float32, torch.float64):
            p = nn.Parameter(torch.zeros(3, dtype=dtype))
            optimizer = SymbolicOptimizer([p], rule, lr=1.0, c=1 - 1e-7, compile=compiled)
            ends[dtype] = []
            for step in range(4):
                p.grad = torch.tensor([1.0, -0.3, 2.0], dtype=dtype) + step
                optimizer.step()
                ends[dtype].append(p.detach().clone().double())
        torch.testing.assert_close(*map(torch.stack, ends.values()), rtol=2e-6, atol=0)

    @pytest.mark.parametrize(
        "rule", ["-sign(g[0] * g[1] - g[1] * g[2])", "-sign(g[0] / g[1] - 1)", "-sign(g * g - g2)"]
    )
    def test_what_cancels_has_no_sign(self, compiled, rule):
        p = nn.Parameter(torch.zeros(50))
        optimizer = SymbolicOptimizer([p], rule, lr=1.0, compile=compiled)
        g = torch.linspace(0.01, 1, 50)
        ends = []
        for _ in range(6):
            p.grad = g.clone()
            optimizer.step()
            ends.append(p.detach().clone())
        assert torch.equal(ends[-1], ends[2])

    def test_an_average_can_fall_where_parameters_are_in_half_precision(self, compiled):
        p = parameter(4, dtype=torch.bfloat16)
        optimizer = SymbolicOptimizer([p], "-v", beta2=0.99, compile=compiled)
        for step in range(400):
            p.grad = torch.full((4,), 1.0 if step < 20 else 0.01, dtype=torch.bfloat16)
            optimizer.step()
        small = torch.tensor(0.01).bfloat16().item() ** 2
        expected = 0.99**380 * (1 - 0.99**20) + small * (1 - 0.99**380)
        assert optimizer.state[p]["v"][0].item() == pytest.approx(expected, rel=1e-4)

    @pytest.mark.parametrize(
        "rule", ["adam", "adagrad", "p = beta2 * p[1] + g; -p", "g - 1.1 * u[1]", "p = g + p[1] - 1; -p"]
    )
    def test_where_rounding_would_stop_it_a_type_is_refused(self, compiled, rule):
        p = parameter(4)
        optimizer = SymbolicOptimizer([p], rule, moment_dtype=torch.bfloat16, compile=compiled)
        with pytest.raises(ConfigError, match=r"cannot follow its gradients.*moment_dtype=torch.float32"):
            stepped([p], optimizer)

    def test_moments_may_be_in_half_precision(self, compiled):
        params, halves = [parameter(50)], [parameter(50)]
        stepped(params, SymbolicOptimizer(params, "adam", betas=(0.9, 0.95), compile=compiled))
        options = {"betas": (0.9, 0.95), "moment_dtype": "bfloat16", "compile": compiled}
        optimizer = SymbolicOptimizer(halves, "adam", **options)
        stepped(halves, optimizer)
        assert optimizer.state[halves[0]]["m"].dtype == torch.bfloat16
        torch.testing.assert_close(*params, *halves, rtol=0, atol=2e-5)

    def test_states_may_be_in_half_precision_where_nothing_adds_up(self, compiled):
        p = parameter(50)
        rule = "p = max(p[1], g); q = 0.9 * q[1] + 0.1 * g; 0.5 * u[1] - q / (abs(p) + 1)"
        optimizer = SymbolicOptimizer([p], rule, moment_dtype=torch.bfloat16, compile=compiled)
        stepped([p], optimizer)
        types = {name: value.dtype for name, value in optimizer.state[p].items() if name != "step"}
        assert types == dict.fromkeys(("p.0", "q.0", "u.0"), torch.bfloat16)

    @rules
    @pytest.mark.parametrize("moment", [None, torch.float32])
    def test_types_survive_a_resume(self, compiled, moment, rule):
        p = parameter(50, dtype=torch.bfloat16)
        options = {"history_dtype": torch.float32, "moment_dtype": moment, "compile": compiled}
        optimizer, file = SymbolicOptimizer([p], rule, **options), io.BytesIO()
        stepped([p], optimizer)
        torch.save(optimizer.state_dict(), file)
        file.seek(0)
        q = nn.Parameter(p.detach().clone())
        twin = SymbolicOptimizer([q], rule, **options)
        twin.load_state_dict(torch.load(file, weights_only=True))
        for name, value in optimizer.state[p].items():
            if name != "step":
                assert value.dtype == torch.float32
                torch.testing.assert_close(twin.state[q][name], value, rtol=0, atol=0)
        stepped([p], optimizer, seed=1)
        stepped([q], twin, seed=1)
        assert torch.equal(p, q)

    @pytest.mark.parametrize("rule", ["-sm", "-sg[1]", "-sign(m)", "p = sign(g); -sign(p[1])"])
    def test_a_lost_gradient_shows(self, compiled, rule):
        p = parameter(2)
        optimizer = SymbolicOptimizer([p], rule, compile=compiled)
        for g in ([1.0, float("nan")], [1.0, 1.0]):
            p.grad = torch.tensor(g)
            optimizer.step()
        assert p.isnan().tolist() == [False, True]

    def test_running_sums_forget_a_lost_gradient_as_lags_do(self, compiled):
        p = nn.Parameter(torch.zeros(2))
        rule = "-" + "-".join(f"{0.8**k:.6g}*g[{k}]" for k in range(12))
        optimizer = SymbolicOptimizer([p], rule, lag_tolerance=0.3, compile=compiled)
        for g in (1.0, float("nan"), float("inf"), 1.0, 1.0):
            p.grad = torch.tensor([1.0, g])
            optimizer.step()
            p.detach().nan_to_num_(0.0, 0.0, 0.0)
        assert optimizer.replaced_lags
        assert p[1].item() < 0


@rules
def test_threads_with_optimizers_of_their_own(compiled, rule):
    ends = []

    def work() -> None:
        params = [parameter(100, 100), parameter(7)]
        stepped(params, SymbolicOptimizer(params, rule, compile=compiled), 10)
        ends.append(torch.cat([p.detach().reshape(-1) for p in params]))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ends) == 3
    assert all(torch.equal(end, ends[0]) for end in ends)
