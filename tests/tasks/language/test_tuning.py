"""Tuning: equal to a loop of one's own, the same after a kill, and honest about divergence."""

import math

import pytest
import torch
from torch import nn

from l2o_core.errors import CheckpointError, ConfigError
from l2o_core.models import Equation
from l2o_core.optim import SymbolicOptimizer
from l2o_core.tasks import language
from l2o_core.tasks.language.batches import chosen, encoded, padded, summed_loss


def adamw(parameters):
    return torch.optim.AdamW(parameters, lr=0.01)


def rule(parameters):
    return SymbolicOptimizer.of(Equation("-m_hat - 0.3 * tanh(g_hat[2])"), parameters, lr=0.01, compile=False)


@pytest.fixture
def parts(instruct):
    return language.load(part="train"), language.load(part="choose")


@pytest.fixture
def tuned(parts):
    def run(optimizer=adamw, **options):
        plain = {"steps": 6, "batch": 4, "length": 40, "bfloat16": False, "progress": False}
        return language.tune(language.load_model("tiny"), *parts, optimizer, **(plain | options))

    return run


def test_it_is_a_plain_loop(tuned, parts):
    found = tuned(steps=8, seed=3, warmup=0.25, clip=0.5, evaluations=2)
    model = language.load_model("tiny")
    network, rows, losses = model.network(), encoded(model, parts[0], 40), []
    optimizer = adamw(network.parameters())
    for step in range(8):
        optimizer.param_groups[0]["lr"] = 0.01 * (step / 2 if step < 2 else (8 - step) / 6)
        batch = padded([rows[i] for i in chosen(len(rows), 4, step, 3)], model.end, torch.device("cpu"))
        loss, count = summed_loss(network, *batch, False)
        losses.append(loss.item() / count)
        optimizer.zero_grad()
        (loss / count).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 0.5)
        optimizer.step()
    assert found.losses == pytest.approx(losses)
    assert found.held_out_steps == (0, 4, 8)
    for ours, theirs in zip(network.parameters(), found.network.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_each_row_comes_once_before_any_comes_again():
    seen = [row for step in range(6) for row in chosen(9, 3, step, 0)]
    assert sorted(seen[:9]) == sorted(seen[9:]) == list(range(9))
    assert seen[:9] != seen[9:]
    assert len(chosen(3, 7, 0, 0)) == 7


@pytest.mark.parametrize("optimizer", [adamw, rule])
def test_it_learns_and_says_what_it_cost(tuned, optimizer):
    found = tuned(optimizer, steps=30, evaluations=3)
    assert found.held_out[-1] < found.held_out[0] - 1
    assert not found.diverged
    assert 0 < found.optimizer_seconds < found.seconds[-1]
    assert list(found.seconds) == sorted(found.seconds)
    assert found.parameters == 133_056
    numbers = 2 if optimizer is adamw else 4  # m, v, and two past values of g_hat
    assert found.state_bytes_per_parameter == pytest.approx(4 * numbers, rel=0.3)
    assert "stand-in" in found.title
    assert "alpaca_libre" in found.title
    assert found.tokens > 30 * 4 * 5


class KilledError(Exception):
    """Stands in for a signal."""


@pytest.mark.parametrize("optimizer", [adamw, rule])
def test_killed_and_resumed_is_equal(tuned, optimizer, tmp_path):
    whole = tuned(optimizer, evaluations=3)

    def dying(parameters):
        made = optimizer(parameters)
        steps = iter(range(3))

        def count(*_):
            if next(steps, None) is None:
                raise KilledError

        made.register_step_pre_hook(count)
        return made

    options = {"checkpoint": tmp_path / "run.pt", "evaluations": 3}
    with pytest.raises(KilledError):
        tuned(dying, **options)
    assert (tmp_path / "run.pt").exists()
    resumed, finished = (tuned(optimizer, **options) for _ in range(2))
    for found in (resumed, finished):
        assert (found.losses, found.held_out) == (whole.losses, whole.held_out)
        assert found.tokens == whole.tokens
        assert found.state_bytes == whole.state_bytes
        for ours, theirs in zip(found.network.parameters(), whole.network.parameters(), strict=True):
            assert torch.equal(ours, theirs)
    assert finished.seconds == resumed.seconds


def test_lora_is_resumed_too(tuned, tmp_path):
    pytest.importorskip("peft")
    lora = language.LoRA(rank=2)
    found, again = (tuned(lora=lora, checkpoint=tmp_path / "run.pt") for _ in range(2))
    assert found.losses == again.losses
    assert found.parameters == 2 * 2 * 2 * 2 * 64
    with pytest.raises(CheckpointError, match="belongs to another run"):
        tuned(lora=language.LoRA(rank=3), checkpoint=tmp_path / "run.pt")


def test_seeds_differ_and_the_callers_random_numbers_stay(tuned):
    before = torch.get_rng_state()
    first, again, other = tuned(), tuned(), tuned(seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    assert first.losses == again.losses != other.losses


def test_a_checkpoint_of_another_run_or_a_damaged_one_is_refused(tuned, tmp_path):
    file = tmp_path / "run.pt"
    tuned(checkpoint=file)
    with pytest.raises(CheckpointError, match=r"belongs to another run .steps: 6 there, 7 here"):
        tuned(steps=7, checkpoint=file)
    with pytest.raises(CheckpointError, match=r"belongs to another run .optimizer"):
        tuned(rule, checkpoint=file)
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(CheckpointError, match=r"run\.pt"):
        tuned(checkpoint=file)


def test_divergence_ends_the_training_and_is_said(tuned, tmp_path):
    def far(parameters):
        return torch.optim.SGD(parameters, lr=1e38)

    found, again = (tuned(far, checkpoint=tmp_path / "run.pt") for _ in range(2))
    for run in (found, again):
        assert run.diverged
        assert len(run.losses) < 6
        assert not math.isfinite(run.held_out[-1])


def test_clipping_is_an_option(tuned):
    def sgd(parameters):
        return torch.optim.SGD(parameters, lr=0.1)

    assert tuned(sgd, clip=math.inf).losses != tuned(sgd).losses == tuned(sgd, clip=1.0).losses


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"steps": 0}, "steps must be a whole number"),
        ({"batch": 2.5}, "batch must be a whole number"),
        ({"warmup": 1}, "warmup is a share"),
        ({"clip": 0}, "clip must be a positive number"),
        ({"device": "abacus"}, "no ABACUS device"),
    ],
)
def test_options_that_make_no_sense_are_refused(tuned, options, said):
    with pytest.raises(ConfigError, match=said):
        tuned(**options)


def test_the_bar_shows_steps_and_losses(tuned, capsys):
    tuned(progress=True)
    said = capsys.readouterr().err
    assert "6/6" in said
    assert "held_out=" in said
