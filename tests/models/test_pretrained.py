"""What comes with the library loads by name, is small, works, and has a card that tells the truth."""

import pytest
import torch

from l2o_core import meta, models, tasks
from l2o_core.meta.recipes import numbered
from l2o_core.models.store import PRETRAINED


@pytest.mark.parametrize("name", models.pretrained())
def test_a_pretrained_model_loads_by_name_and_optimizes(name):
    described = models.describe(name)
    assert type(models.load(name)).__name__ == described["architecture"]
    training = described["training"]
    assert name in (training["recipe"], numbered(training["recipe"], training["seed"]))
    assert (PRETRAINED / f"{name}.safetensors").stat().st_size < 100_000
    assert (PRETRAINED / f"{name}.md").read_text() == models.card(name)


@pytest.mark.parametrize("name", [name for name in models.pretrained() if name.endswith("/p2")])
def test_a_teacher_of_p2_learns_a_perceptron_it_has_not_seen(name):
    losses = meta.evaluate(
        models.load(name), tasks.load("digits", part="report"), steps=100, instances=2, seed=5
    )
    assert torch.isfinite(losses).all()
    assert losses[:, -10:].mean() < 0.7 * losses[:, 0].mean()
