"""Fine-tuning: equal to a loop of one's own, the same after a kill, and honest about divergence."""

import json
import math

import pytest
import torch
from torch import nn

from l2o_core.errors import CheckpointError, ConfigError
from l2o_core.optim import SymbolicOptimizer
from l2o_core.tasks import text

pytest.importorskip("transformers")
pytest.importorskip("accelerate")
pytestmark = pytest.mark.filterwarnings("ignore")  # theirs are their own


def adamw(parameters):
    return torch.optim.AdamW(parameters, lr=0.01)


def rule(parameters):
    return SymbolicOptimizer(parameters, "-m_hat - 0.3 * tanh(g_hat[2])", lr=0.01)


@pytest.fixture
def tuned(tiny_bert, glue_root):
    train, dev = text.load("sst2"), text.load("sst2", "report")

    def run(optimizer=adamw, held_out=dev, **options):
        options = {"epochs": 2, "batch": 8, "bfloat16": False, "progress": False} | options
        return text.fine_tune(text.Encoder(str(tiny_bert)), train, held_out, optimizer, **options)

    return run


def schedule(step: int, total: int, first: int) -> float:
    return step / first if step < first else (total - step) / (total - first)


def test_one_batch_an_epoch_is_a_plain_loop(tuned, tiny_bert, glue_root):
    """All rows in a batch, no dropout: nothing is left to chance."""
    config = json.loads((tiny_bert / "config.json").read_text())
    dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (tiny_bert / "config.json").write_text(json.dumps(config | dropout))
    try:
        found = tuned(epochs=10, batch=40, seed=3, warmup=0.2, clip=0.5)
        encoder, train, dev = text.Encoder(str(tiny_bert)), text.load("sst2"), text.load("sst2", "report")
        model, losses = encoder.classifier(2, 3).train(), []
        optimizer = adamw(model.parameters())
        rows = encoder.tokenizer.pad(encoder.encode(train), return_tensors="pt")
        for step in range(10):
            optimizer.param_groups[0]["lr"] = 0.01 * schedule(step, 10, 2)
            loss = model(**rows).loss
            losses.append(loss.item())
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
        assert found.losses == pytest.approx(losses, rel=1e-3)
        logits = model.eval()(**encoder.tokenizer.pad(encoder.encode(dev), return_tensors="pt")).logits
        assert found.scores == text.official_scores("sst2", logits.argmax(-1).tolist(), dev.labels)
        loss = nn.functional.cross_entropy(logits, torch.tensor(dev.labels)).item()
        assert found.held_out_loss == pytest.approx(loss, rel=1e-3)
    finally:
        (tiny_bert / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize("optimizer", [adamw, rule])
def test_it_learns_and_says_what_it_cost(tuned, optimizer):
    found = tuned(optimizer, text.load("sst2"), epochs=10)
    assert len(found.losses) == 10 * 5
    assert sum(found.losses[-5:]) < 0.7 * sum(found.losses[:5])
    assert found.scores["accuracy"] > 90
    assert not found.diverged
    assert 0 < found.optimizer_seconds < found.seconds
    numbers = 2 if optimizer is adamw else 4  # m, v, and two past values of g_hat
    assert found.state_bytes_per_parameter == pytest.approx(4 * numbers, rel=0.3)
    assert "SST-2" in found.title


class KilledError(Exception):
    """Stands in for a signal."""


@pytest.mark.parametrize("optimizer", [adamw, rule])
def test_killed_and_resumed_is_equal(tuned, optimizer, tmp_path):
    whole = tuned(optimizer)

    def dying(parameters):
        made = optimizer(parameters)
        steps = iter(range(7))

        def count(*_):
            if next(steps, None) is None:
                raise KilledError

        made.register_step_pre_hook(count)
        return made

    with pytest.raises(KilledError):
        tuned(dying, folder=tmp_path / "part")
    (tmp_path / "part" / "checkpoint-9").mkdir()  # as a kill in the midst of writing leaves it
    resumed = tuned(optimizer, folder=tmp_path / "part")
    assert (resumed.losses, resumed.scores) == (whole.losses, whole.scores)
    finished = tuned(optimizer, folder=tmp_path / "part")
    assert (finished.losses, finished.scores) == (whole.losses, whole.scores)
    assert finished.seconds == resumed.seconds
    assert finished.state_bytes == resumed.state_bytes


def test_seeds_differ_and_the_callers_random_numbers_stay(tuned):
    before = torch.get_rng_state()
    first, again, other = tuned(epochs=1), tuned(epochs=1), tuned(epochs=1, seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    assert first.losses == again.losses != other.losses


def test_a_folder_of_another_run_or_a_damaged_one_is_refused(tuned, tmp_path):
    tuned(epochs=1, folder=tmp_path)
    with pytest.raises(CheckpointError, match=r"belongs to another run \(epochs: 1 there, 2 here\)"):
        tuned(epochs=2, folder=tmp_path)
    with pytest.raises(CheckpointError, match=r"belongs to another run .optimizer: .*AdamW"):
        tuned(rule, epochs=1, folder=tmp_path)
    (weights,) = tmp_path.glob("checkpoint-5/model.safetensors")
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    with pytest.raises(CheckpointError, match=r"checkpoint-5 is damaged \(its files .*delete that folder"):
        tuned(epochs=1, folder=tmp_path)
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"run\.json is damaged"):
        tuned(epochs=1, folder=tmp_path)


def test_divergence_ends_the_training_and_is_said(tuned, tmp_path):
    def far(parameters):
        return torch.optim.SGD(parameters, lr=1e38)

    found, again = (tuned(far, epochs=2, folder=tmp_path) for _ in range(2))
    for run in (found, again):
        assert run.diverged
        assert len(run.losses) < 10
        assert not math.isfinite(run.losses[-1])
    assert found.losses[:-1] == again.losses[:-1]


def test_in_bfloat16_losses_are_the_same_to_two_digits(tuned):
    single, half = tuned(epochs=1), tuned(epochs=1, bfloat16=True)
    assert single.losses != half.losses
    assert half.losses == pytest.approx(single.losses, rel=0.03)
    assert tuned(epochs=1).losses == single.losses


def test_the_bar_shows_steps_and_loss(tuned, capsys):
    tuned(epochs=1, progress=True)
    assert "5/5" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"epochs": 0}, "epochs must be a whole number, 1 or more"),
        ({"warmup": 1.0}, "warmup is a share"),
        ({"clip": 0}, "clip must be a positive"),
        ({"device": "abacus"}, "no ABACUS device"),
    ],
)
def test_options_that_make_no_sense_are_refused(tuned, options, said):
    with pytest.raises(ConfigError, match=said):
        tuned(**options)


def test_two_tasks_do_not_mix(tiny_bert, glue_root):
    train = text.load("sst2")
    other = text.TextData("rte", "RTE", (("a",), ("b",)), (1,), 2)
    with pytest.raises(ConfigError, match=r"cannot train on SST-2 .* and measure on RTE"):
        text.fine_tune(text.Encoder(str(tiny_bert)), train, other, adamw)


def test_shared_memory_of_states_is_counted_once():
    class Lazy(torch.optim.Optimizer):
        def __init__(self, parameters):
            super().__init__(parameters, {})
            whole = torch.zeros(10)
            for group in self.param_groups:
                for i, parameter in enumerate(group["params"]):
                    self.state[parameter]["view"] = [whole[i : i + 2]]

    assert text.state_bytes(Lazy([nn.Parameter(torch.zeros(2)) for _ in range(3)])) == 40
