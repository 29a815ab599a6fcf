"""The same step in other ways: compiled, in place or gathered, past in half precision, with AMP, in DDP."""

import copy
import gc
import os
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from l2o_core.errors import ConfigError
from l2o_core.features import NAMES
from l2o_core.optim import SymbolicOptimizer, zoo
from l2o_core.optim._compile import buckets as bucket
from l2o_core.optim._compile import build
from l2o_core.optim._compile.kernels import BACKENDS
from l2o_core.optim._compile.plan import make_plan
from l2o_core.optim._compile.stepping import WORTH_COMPILING
from tests.optim.reference import RECURRENT
from tests.optim.test_zoo import batches, model, options, train

RULE = "-m_hat[0] - 0.5 * tanh(g[1]) - 0.3 * tanh(g[3]) - 0.1 * n_hat[2]"
SYSTEM = "p = q[1]; q = 0.5 * p[1] + tanh(g[2]); 0.5 * u[1] - p - q[2] - 0.1 * theta"
has_compiler = pytest.mark.skipif(not shutil.which("g++"), reason="needs a C++ compiler")


@pytest.fixture
def compiled_loops(monkeypatch):
    """The loops in C++ that are compiled from now on."""
    loops = []

    def spy(*arguments):
        loops.append(arguments)
        return compile_loop(*arguments)

    compile_loop = BACKENDS["cpp"]
    monkeypatch.setitem(BACKENDS, "cpp", spy)
    return loops


@pytest.fixture
def fused(monkeypatch):
    """Steps are compiled as on a GPU, but PyTorch runs the graph itself; yields the graphs so far."""
    graphs = []

    def backend(graph, _):
        graphs.append(graph)
        return graph.forward

    monkeypatch.setitem(BACKENDS, "cpp", BACKENDS["inductor"])
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    return graphs


def fresh_rule(name: str) -> dict:
    """Options with a number that no other rule has, so that no kernel of another test is found."""
    return options(name) | {"eps": 1e-7 + 1e-9 * zoo.names().index(name)}


def same_steps(name: str, steps: int, **hyperparameters) -> None:
    """A rule takes the same steps compiled and not."""
    data, one, two = batches(steps), model(), model()
    slow = SymbolicOptimizer(one.parameters(), name, compile=False, **hyperparameters)
    quick = SymbolicOptimizer(two.parameters(), name, compile=True, **hyperparameters)
    for a, b in zip(train(one, slow, data), train(two, quick, data), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)


class TestCompiled:
    @has_compiler
    @pytest.mark.parametrize("name", zoo.names())
    def test_every_rule_takes_the_same_steps(self, name):
        same_steps(name, 6, **options(name))

    @has_compiler
    def test_every_feature_has_the_same_values(self):
        features = " - ".join(f"0.{number + 1} * {name}" for number, name in enumerate(NAMES))
        same_steps(f"-0.01 * ({features} + g2[2])", 5, lr=0.1, total_steps=9)

    @has_compiler
    @pytest.mark.parametrize("rule", RECURRENT)
    def test_rules_with_a_memory_take_the_same_steps(self, rule):
        same_steps(rule, 6, lr=0.1, weight_decay=0.1)

    @pytest.mark.parametrize("rule", RECURRENT)
    def test_rules_with_a_memory_as_on_a_gpu(self, rule, fused):
        same_steps(f"{rule} - 1.25e-3 * g", 5, lr=0.1)
        assert len(fused) == 1

    @pytest.mark.parametrize("name", ["adam", "syml2o_eq2", "syml2o_eq6", "powsign_cd"])
    def test_and_as_on_a_gpu(self, name, fused):
        same_steps(name, 8, **fresh_rule(name))
        optimizer = SymbolicOptimizer(model().parameters(), name, **options(name))
        phases = len(make_plan(optimizer.rule, optimizer.param_groups[0]).phases)
        assert len(fused) == min(phases, 8)

    @has_compiler
    def test_no_new_kernel_for_another_number_or_size(self, compiled_loops):
        """Layer by layer and step by step, of hundreds of groups."""
        params = [nn.Parameter(torch.zeros(1 + width)) for width in range(200)]
        groups = [{"params": [p], "c": 0.5 + n, "lr": 1.0 / (n + 1)} for n, p in enumerate(params)]
        optimizer = SymbolicOptimizer(groups, "-c * tanh(g / c) - m_hat[0] - c * g[2]", compile=True)
        slow = SymbolicOptimizer(copy.deepcopy(optimizer.param_groups), optimizer.rule, c=1.0, compile=False)
        for group in slow.param_groups:
            group["compile"] = False
        for step in range(4):
            for one in (optimizer, slow):
                for group in one.param_groups:
                    group["c"] *= 0.5**step
                    group["betas"] = (0.9 - 0.1 * step, 0.9)
                    group["eps"] *= 2.0
                    group["params"][0].grad = torch.full_like(group["params"][0], 0.1 + step)
                one.step()
        assert len(compiled_loops) == 1
        for quick, plain in zip(optimizer.param_groups, slow.param_groups, strict=True):
            torch.testing.assert_close(quick["params"], plain["params"], rtol=1e-5, atol=1e-6)

    def test_more_rules_than_a_cache_of_graphs_holds(self, fused):
        for number in range(12):
            p = nn.Parameter(torch.zeros(3))
            optimizer = SymbolicOptimizer([p], "-g" + " * tanh(g)" * number, lr=1.0, compile=True)
            p.grad = torch.ones(3)
            optimizer.step()
            torch.testing.assert_close(p.detach(), -torch.ones(3) * torch.tanh(torch.ones(3)) ** number)
        assert len(fused) == 12

    @has_compiler
    def test_a_state_does_not_say_whether_steps_are_compiled(self):
        first, second = model(), model()
        quick = SymbolicOptimizer(first.parameters(), RULE, compile=True)
        train(first, quick, batches(3))
        slow = SymbolicOptimizer(second.parameters(), RULE, compile=False)
        slow.load_state_dict(quick.state_dict())
        assert not slow.param_groups[0]["compile"]

    @has_compiler
    @pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
    @pytest.mark.parametrize("history", [None, torch.float16, torch.bfloat16, torch.float64])
    @pytest.mark.parametrize(("threads", "rule"), [(1, RULE), (2, RULE), (2, SYSTEM)])
    def test_types_and_threads(self, dtype, history, threads, rule):
        torch.manual_seed(0)
        shapes = [(bucket.LARGE["cpu"] + 3,), (17, 5), (40,)]
        starts = [torch.randn(shape).to(dtype) for shape in shapes]
        gradients = [[torch.randn(shape).to(dtype) for shape in shapes] for _ in range(5)]
        ends, before = [], torch.get_num_threads()
        torch.set_num_threads(threads)
        for compiled in (False, True):
            params = [nn.Parameter(start.clone()) for start in starts]
            optimizer = SymbolicOptimizer(
                params, rule, lr=0.01, weight_decay=0.1, compile=compiled, history_dtype=history
            )
            for step in gradients:
                for p, g in zip(params, step, strict=True):
                    p.grad = g
                optimizer.step()
            ends.append(params)
        torch.set_num_threads(before)
        narrow = torch.finfo(
            dtype if history is None else min(dtype, history, key=lambda t: torch.finfo(t).bits)
        )
        for slow, quick in zip(*ends, strict=True):  # the last digit of stored values may round the other way
            torch.testing.assert_close(quick, slow, rtol=2 * narrow.eps, atol=max(4e-6, 0.1 * narrow.eps))

    def test_without_a_compiler_one_is_told_so(self, monkeypatch):
        monkeypatch.setattr(shutil, "which", lambda _: None)
        with pytest.raises(ConfigError, match=r"(?s)no C\+\+ compiler.*compile=False"):
            self.step("-sinh(sinh(g))")

    def test_a_compiler_that_fails_is_quoted(self, monkeypatch):
        monkeypatch.setenv("CXX", "false")
        with pytest.raises(ConfigError, match=r"(?s)false.*compile=False"):
            self.step("-erfc(sinh(g))")

    def test_what_pytorchs_compiler_says_is_told(self, monkeypatch):
        def backend(graph, _):
            raise RuntimeError("no Triton")

        monkeypatch.setitem(BACKENDS, "cpp", BACKENDS["inductor"])
        monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
        with pytest.raises(ConfigError, match=r"(?s)no Triton.*compile=False"):
            self.step("-1.9 * g")

    @pytest.mark.parametrize("missing", ["compiler", "folder"])
    def test_what_is_compiled_by_default_steps_without_a_compiler_too(self, monkeypatch, tmp_path, missing):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
        (tmp_path / "file").write_text("no folder")
        if missing == "compiler":
            monkeypatch.setattr(shutil, "which", lambda _: None)
        else:
            monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
        p = nn.Parameter(torch.zeros(WORTH_COMPILING))
        p.grad = torch.ones_like(p)
        SymbolicOptimizer([p], "-tanh(sinh(g))", lr=1.0).step()
        torch.testing.assert_close(p, -torch.tanh(torch.sinh(p.grad)))
        with pytest.raises(ConfigError, match="compile=False"):
            SymbolicOptimizer([p], "-tanh(sinh(g))", compile=True).step()

    @has_compiler
    @pytest.mark.parametrize(("numbers", "count"), [(WORTH_COMPILING - 1, 0), (WORTH_COMPILING, 1)])
    def test_by_default_large_optimizers_are_compiled(self, compiled_loops, numbers, count):
        params = [nn.Parameter(torch.zeros(n)) for n in (7, numbers - 7)]
        params[0].grad = torch.ones(7)  # what has a gradient today does not matter
        SymbolicOptimizer(params, "-g").step()
        assert len(compiled_loops) == count

    @has_compiler
    def test_a_loop_is_kept_on_disk_and_a_damaged_one_made_again(self, monkeypatch, tmp_path):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        commands, run = [], subprocess.run

        def spy(command, **options):
            source = Path(next(part for part in command if part.endswith("loop.cpp")))
            assert source.parent.stat().st_mode & 0o777 == 0o700
            commands.append(source.read_text())
            return run(command, **options)

        monkeypatch.setattr(subprocess, "run", spy)
        folder = tmp_path / "l2o" / "compiled"
        for damaged, count in ((False, 1), (False, 1), (True, 2), (False, 2)):
            if damaged:
                (kept,) = folder.iterdir()
                kept.write_bytes(kept.read_bytes()[:1000])
            p = nn.Parameter(torch.zeros(3))
            p.grad = torch.ones(3)
            SymbolicOptimizer(
                [p], "-a_name_of_mine * asinh(sinh(g))", a_name_of_mine=0.5, compile=True
            ).step()
            gc.collect()
            assert len(commands) == count
        assert not any("mine" in text for text in commands)
        assert {path.suffix for path in folder.iterdir()} == {".so"}  # no draft is left
        folder.chmod(0o777)
        assert build.kept_in() is None  # others could put their programs there

    @has_compiler
    @pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
    def test_libraries_are_unloaded_with_their_optimizers(self):
        def loaded() -> int:
            return Path("/proc/self/maps").read_text().count("/l2o/compiled/")

        gc.collect()
        before = loaded()
        p = nn.Parameter(torch.zeros(3))
        p.grad = torch.ones(3)
        optimizer = SymbolicOptimizer([p], "-erfc(asinh(g))", compile=True)
        optimizer.step()
        assert loaded() > before
        del optimizer
        gc.collect()
        assert loaded() == before

    @staticmethod
    def step(rule: str) -> None:
        """One step, compiled."""
        p = nn.Parameter(torch.zeros(3))
        p.grad = torch.ones(3)
        try:
            SymbolicOptimizer([p], rule, compile=True).step()
        finally:
            assert p.tolist() == [0, 0, 0]


class TestLayout:
    @staticmethod
    def path(rule: str = RULE) -> torch.Tensor:
        """The weights, of several layouts, after a few steps."""
        generator = torch.Generator().manual_seed(0)
        shapes = [(4, 3, 5, 5), (40, 4), (7,), (6, 8), ()]
        params = [nn.Parameter(torch.randn(shape, generator=generator)) for shape in shapes]
        params[0].data = params[0].data.to(memory_format=torch.channels_last)
        params[3].data = params[3].data.T  # neither of PyTorch's layouts
        optimizer = SymbolicOptimizer(params, rule, lr=0.01)
        for _ in range(5):
            for p in params:
                p.grad = torch.randn(p.shape, generator=generator)
            optimizer.step()
        return nn.utils.parameters_to_vector([p.reshape(-1) for p in params]).detach()

    @pytest.mark.parametrize("rule", [RULE, SYSTEM])
    def test_alone_or_together_is_the_same(self, monkeypatch, rule):
        together = self.path(rule)
        monkeypatch.setitem(bucket.LARGE, "cpu", 1)
        torch.testing.assert_close(self.path(rule), together, rtol=0, atol=0)

    @pytest.mark.parametrize("rule", [RULE, SYSTEM])
    def test_a_state_moves_between_layouts(self, monkeypatch, rule):
        p, q = (nn.Parameter(torch.zeros(2, 3, 4, 4)) for _ in range(2))
        generator = torch.Generator().manual_seed(0)
        gradients = torch.randn(6, *p.shape, generator=generator)
        monkeypatch.setitem(bucket.LARGE, "cpu", 1)
        q.data = q.data.to(memory_format=torch.channels_last)
        one, two = SymbolicOptimizer([p], rule), SymbolicOptimizer([q], rule)
        for g in gradients[:3]:
            p.grad = g.clone()
            one.step()
        two.load_state_dict(copy.deepcopy(one.state_dict()))
        q.data.copy_(p.data)
        for g in gradients[3:]:
            p.grad, q.grad = g.clone(), g.clone()
            one.step()
            two.step()
        assert torch.equal(p, q)

    def test_a_parameter_whose_memory_was_replaced_goes_on(self):
        p = nn.Parameter(torch.zeros(bucket.LARGE["cpu"]))
        optimizer = SymbolicOptimizer([p], "-g", lr=1.0)
        for _ in range(2):
            p.grad = torch.ones_like(p)
            optimizer.step()
            p.data = p.data.clone()
        assert (p == -2).all()


class TestHistoryType:
    def test_the_past_is_stored_in_half_precision_and_nothing_else(self):
        p = nn.Parameter(torch.zeros(4))
        optimizer = SymbolicOptimizer([p], RULE, history_dtype=torch.bfloat16)
        p.grad = torch.ones(4)
        optimizer.step()
        types = {name: value.dtype for name, value in optimizer.state[p].items() if name != "step"}
        assert {name for name, dtype in types.items() if dtype == torch.bfloat16} == {
            name for name in types if name.startswith("stream")
        }
        assert types["m"] == torch.float32

    def test_updates_are_near_and_a_resume_is_exact(self):
        data, nets = batches(12), [model().float() for _ in range(3)]
        data = [(x.float(), y.float()) for x, y in data]
        exact, half, again = nets
        train(exact, SymbolicOptimizer(exact.parameters(), RULE), data)
        optimizer = SymbolicOptimizer(half.parameters(), RULE, history_dtype="bfloat16")
        train(half, optimizer, data[:6])
        again.load_state_dict(half.state_dict())
        resumed = SymbolicOptimizer(again.parameters(), RULE, history_dtype=torch.bfloat16)
        resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        end = train(half, optimizer, data[6:])[-1]
        assert torch.equal(train(again, resumed, data[6:])[-1], end)
        torch.testing.assert_close(end, nn.utils.parameters_to_vector(exact.parameters()), rtol=0, atol=2e-4)

    def test_other_types_are_refused(self):
        with pytest.raises(ConfigError, match="history_dtype must be one of bfloat16"):
            SymbolicOptimizer([nn.Parameter(torch.zeros(1))], "-g", history_dtype=torch.int8)


def test_a_scaler_skips_steps_that_overflow():
    p = nn.Parameter(torch.ones(3))
    optimizer, scaler = SymbolicOptimizer([p], "-g", lr=1.0), torch.amp.GradScaler("cpu", init_scale=4.0)
    for factor, expected in ((1.0, 0.0), (float("inf"), 0.0), (1.0, -1.0)):
        optimizer.zero_grad()
        scaler.scale((p * factor).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
        assert p.tolist() == [expected] * 3
    assert scaler.get_scale() == 2.0


def shards(net: nn.Module, optimizer: SymbolicOptimizer, data: list) -> None:
    for x, y in data:
        optimizer.zero_grad()
        nn.functional.mse_loss(net(x), y).backward()
        optimizer.step()


def ranked(rank: int, folder: str) -> None:
    """One of two processes that train on half of every batch; they share states or weights, or nothing."""
    from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict, set_optimizer_state_dict
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard
    from torch.distributed.optim import ZeroRedundancyOptimizer

    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    net = nn.parallel.DistributedDataParallel(model(), gradient_as_bucket_view=True)
    optimizer = SymbolicOptimizer(net.parameters(), RULE, lr=0.05)
    mine = [(x[rank::2], y[rank::2]) for x, y in batches(8)]
    ends = {"ddp": train(net, optimizer, mine)[-1]}

    net = nn.parallel.DistributedDataParallel(model())
    zero = ZeroRedundancyOptimizer(net.parameters(), SymbolicOptimizer, rule="adam", lr=0.05)
    ends["zero"] = train(net, zero, mine)[-1]

    net = fully_shard(model(), mesh=init_device_mesh("cpu", (2,)))
    optimizer = SymbolicOptimizer(net.parameters(), RULE, lr=0.05)
    shards(net, optimizer, mine[:4])
    state = get_optimizer_state_dict(net, optimizer)
    optimizer = SymbolicOptimizer(net.parameters(), RULE, lr=0.05)
    set_optimizer_state_dict(net, optimizer, state)
    shards(net, optimizer, mine[4:])
    ends["fsdp"] = torch.cat([p.full_tensor().detach().reshape(-1) for p in net.parameters()])
    torch.save(ends, os.path.join(folder, f"{rank}.pt"))
    torch.distributed.destroy_process_group()


@pytest.mark.skipif(not torch.distributed.is_available(), reason="PyTorch was built without")
def test_two_processes_take_the_steps_of_one(tmp_path):
    torch.multiprocessing.spawn(ranked, (str(tmp_path),), nprocs=2)
    one, two = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    for way, rule in {"ddp": RULE, "zero": "adam", "fsdp": RULE}.items():
        whole = model()
        alone = train(whole, SymbolicOptimizer(whole.parameters(), rule, lr=0.05), batches(8))[-1]
        assert torch.equal(one[way], two[way])
        torch.testing.assert_close(one[way], alone, rtol=1e-9, atol=1e-12)
