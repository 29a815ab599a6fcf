"""A checkpoint is that of its own run: problem, weights and options; one that lacks a part is refused."""

import numpy as np
import pytest
import torch

from l2o_core import meta, models, tasks
from l2o_core.errors import CheckpointError, ConfigError, StorageError
from l2o_core.meta import TrainingConfig, training
from l2o_core.storage import TENSORS, Cache

OPTIONS = {"epochs": 1, "steps": 10, "unroll": 5, "validation_instances": 2, "progress": False}


def new(seed=0):
    torch.manual_seed(seed)
    return models.RPSmall()


@pytest.fixture(scope="module")
def left(tmp_path_factory):
    """The checkpoint of a short training."""
    path = tmp_path_factory.mktemp("left") / "run.pt"
    meta.meta_train(new(), tasks.load("digits"), checkpoint=path, **OPTIONS)
    return path


@pytest.mark.parametrize(
    ("seed", "problem"),
    [(0, {"batch": 16}), (0, {"part": "choose"}), (0, {"init_std": 0.02}), (1, {})],
    ids=str,
)
def test_another_run_on_the_same_checkpoint_is_refused(left, seed, problem):
    with pytest.raises(CheckpointError, match="belongs to another run"):
        meta.meta_train(new(seed), tasks.load("digits", **problem), checkpoint=left, **OPTIONS)


def test_the_tuning_of_a_tuned_rule_is_another(tmp_path):
    options = OPTIONS | {"checkpoint": tmp_path / "run.pt"}
    tuned, _ = meta.tune("-0.01*m_hat[0]", tasks.load("p1"), **options)
    with pytest.raises(CheckpointError, match="belongs to another run"):
        meta.tune(tuned, tasks.load("p1"), **options)


LACKS = [
    *({name: None} for name in ("optimizer", "meta_optimizer", "best", "history")),
    *({"history": {"x": 1}}, {"history": {}}, {"optimizer": {}}, {"best": [1]}),
]


@pytest.mark.parametrize("change", LACKS, ids=str)
def test_a_checkpoint_without_its_parts_is_refused(left, tmp_path, change):
    saved, path = TENSORS.load(left), tmp_path / "run.pt"
    content = {key: part for key, part in (saved["content"] | change).items() if part is not None}
    TENSORS.save(saved | {"content": content}, path)
    with pytest.raises(CheckpointError, match=r"run\.pt is no checkpoint"):
        meta.meta_train(new(), tasks.load("digits"), checkpoint=path, **OPTIONS)


ODD_MOMENTS = {
    "no groups": lambda adam: adam["param_groups"].clear(),
    "other shapes": lambda adam: adam["state"][0].update(exp_avg=torch.zeros(7, 7, 7)),
    "a rate of text": lambda adam: adam["param_groups"][0].update(lr="x"),
    "a part is missing": lambda adam: adam["state"][0].pop("exp_avg_sq"),
}


@pytest.mark.parametrize("change", [{"seconds": None}, {"losses": ["x"]}, {"stages": [(0, "x")]}], ids=str)
def test_a_history_of_no_numbers_is_refused(left, tmp_path, change):
    saved, path = TENSORS.load(left), tmp_path / "run.pt"
    saved["content"]["history"] |= change
    TENSORS.save(saved, path)
    with pytest.raises(CheckpointError, match=r"run\.pt is no checkpoint"):
        meta.meta_train(new(), tasks.load("digits"), checkpoint=path, **OPTIONS)


@pytest.mark.parametrize("damage", ODD_MOMENTS.values(), ids=ODD_MOMENTS)
def test_where_a_checkpoint_is_refused_the_optimizer_stays_as_it_was(left, tmp_path, damage):
    saved, path, optimizer = TENSORS.load(left), tmp_path / "run.pt", new()
    damage(saved["content"]["meta_optimizer"])
    TENSORS.save(saved, path)
    with pytest.raises(CheckpointError, match=r"run\.pt is no checkpoint"):
        meta.meta_train(optimizer, tasks.load("digits"), checkpoint=path, **OPTIONS)
    assert all(map(torch.equal, optimizer.parameters(), new().parameters()))


def test_a_checkpoint_that_cannot_be_written_is_said_before_the_training(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(training, "_epoch", lambda *_: pytest.fail("an epoch was trained"))
    with pytest.raises(StorageError, match=r"cannot write .*run\.pt"):
        meta.meta_train(new(), tasks.load("p1"), checkpoint=tmp_path / "file" / "run.pt", **OPTIONS)


def test_a_cached_evaluation_of_another_kind_is_refused(tmp_path):
    options = {"steps": 3, "instances": 2, "cache": Cache(tmp_path)}
    meta.evaluate(new(), tasks.load("p1"), **options)
    (file,) = tmp_path.glob("losses/*.pt")
    TENSORS.save({}, file)
    with pytest.raises(CheckpointError, match="does not hold the losses"):
        meta.evaluate(new(), tasks.load("p1"), **options)


WRONG = [
    ("epochs", "3"),
    ("epochs", True),
    ("epochs", 1.5),
    ("lr", "0.1"),
    ("lr", float("nan")),
    ("seed", -1),
]
WRONG += [
    ("steps", "100"),
    ("steps", [10, "x"]),
    ("steps", True),
    ("decay", 1),
    ("clip", None),
    ("seed", 2**70),
]


@pytest.mark.parametrize(("name", "value"), [*WRONG, ("state_dtype", "float16")])
def test_options_of_another_type_are_refused(name, value):
    with pytest.raises(ConfigError, match=f"{name} must"):
        TrainingConfig(**{name: value})


@pytest.mark.parametrize("lr", [np.float64(1e-3), np.float32(1e-3)])
def test_numpys_options_resume_to_the_same_end(tmp_path, lr):
    def trained(epochs, path):
        torch.manual_seed(0)
        model = models.DM(hidden=np.int64(3), layers=1, scale=np.float64(0.1))
        options = OPTIONS | {"epochs": np.int64(epochs), "lr": lr, "decay": False, "seed": np.int64(3)}
        options |= {"instances": np.int64(1), "checkpoint": tmp_path / path}
        history = meta.meta_train(model, tasks.load("p1"), **options)
        return history.losses, model

    trained(1, "killed.pt")
    resumed, whole = trained(2, "killed.pt"), trained(2, "whole.pt")
    assert resumed[0] == whole[0]
    torch.testing.assert_close(resumed[1].state_dict(), whole[1].state_dict(), rtol=0, atol=0)
