"""The best validated seed becomes the pretrained model, and its card says so."""

import pytest
import torch

from l2o_core import models
from l2o_core.errors import CheckpointError, ConfigError
from l2o_core.meta import recipes
from l2o_core.meta.publishing import publish
from l2o_core.storage import digest


def trained(folder, seed, loss, stages=1):
    """A file as `Recipe.train` leaves it."""
    torch.manual_seed(seed)
    model = models.RPSmall()
    history = {"losses": [2.0, loss], "best": (2, loss), "seconds": 90.0, "diverged": [1], "validation": []}
    history["stages"] = [(0, 100)] * stages
    recipe = recipes.load("rp_small/p2")
    models.save(
        recipe.path(folder, seed), model, recipe.record(seed) | {"dataset": "MNIST", "history": history}
    )
    return model


def test_the_seed_with_the_lowest_validation_loss_is_published(tmp_path):
    models_by_seed = {seed: trained(tmp_path, seed, loss) for seed, loss in ((0, 0.9), (1, 0.7), (2, 0.8))}
    path = publish("rp_small/p2", (0, 1, 2), tmp_path, tmp_path / "pretrained")
    again = models.load(path)
    assert all(
        torch.equal(a, b) for a, b in zip(again.parameters(), models_by_seed[1].parameters(), strict=True)
    )
    card = path.with_suffix(".md").read_text()
    assert "seed 0: 0.9, seed 1: 0.7, seed 2: 0.8" in card
    assert "200 epochs of 200 steps with seed 1" in card
    assert "1.5 minutes" in card


def test_the_other_seeds_are_published_under_their_numbers(tmp_path):
    models_by_seed = {seed: trained(tmp_path, seed, loss) for seed, loss in ((0, 0.9), (1, 0.7), (2, 0.8))}
    target = tmp_path / "pretrained"
    publish("rp_small/p2", (0, 1, 2), tmp_path, target)
    assert {path.stem for path in target.rglob("*.safetensors")} == {"p2", "p2-0", "p2-2"}
    found = models.load(target / "rp_small" / "p2-2.safetensors")
    assert digest(found.identity) == digest(models_by_seed[2].identity)
    card = (target / "rp_small" / "p2-2.md").read_text()
    assert card.startswith("# rp_small/p2-2\n")
    assert "Of the seeds tried" not in card
    publish("rp_small/p2", (2,), tmp_path, target)
    assert {path.name for path in target.rglob("p2*")} == {"p2.safetensors", "p2.md"}


def test_losses_on_shorter_horizons_do_not_count(tmp_path):
    """A longer run has a lower mean loss."""
    trained(tmp_path, 0, 0.5, stages=2)
    trained(tmp_path, 1, 0.9, stages=3)
    path = publish("rp_small/p2", (0, 1), tmp_path, tmp_path / "pretrained")
    assert models.describe(path)["training"]["seed"] == 1


def test_a_seed_that_was_not_trained_is_named(tmp_path):
    trained(tmp_path, 0, 0.9)
    with pytest.raises(ConfigError, match="rp_small/p2-3"):
        publish("rp_small/p2", (0, 3), tmp_path, tmp_path / "pretrained")


def test_a_shortened_training_is_not_published(tmp_path):
    trained(tmp_path, 0, 0.9)
    recipe = recipes.load("rp_small/p2")
    short = recipe.record(1) | {"epochs": 10}
    models.save(recipe.path(tmp_path, 1), models.RPSmall(), short)
    with pytest.raises(CheckpointError, match="epochs: 10 there, 200 here"):
        publish("rp_small/p2", (0, 1), tmp_path, tmp_path / "pretrained")
