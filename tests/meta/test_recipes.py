"""Every teacher of the recipes can be built, trained, stopped and found again."""

import json
from contextlib import nullcontext
from dataclasses import replace

import joblib
import pytest
import torch

from l2o_core import meta, models, tasks
from l2o_core.errors import CheckpointError, ConfigError, DivergenceError
from l2o_core.meta import TrainingConfig, recipes
from l2o_core.storage import digest

SMALL = {"steps": 10, "unroll": 5, "instances": 4, "validation_instances": 4, "progress": False}


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_names_a_model_and_a_problem_that_exist(name):
    recipe = recipes.load(name)
    assert recipe.task["name"] in tasks.names()
    g = torch.zeros(3)
    model = recipes.build(**recipe.model)
    assert model(g, model.init_state(g))[0].shape == (3,)


def test_a_teacher_is_left_in_the_folder_and_a_stopped_one_goes_on(tmp_path):
    recipe = recipes.load("rp_small_extra/p1")
    whole, history = recipe.train(1, epochs=2, decay=False, **SMALL)
    recipe.train(1, tmp_path, epochs=1, decay=False, **SMALL)
    recipe.train(1, tmp_path, epochs=2, decay=False, **SMALL)
    found = models.load(tmp_path / "rp_small_extra" / "p1-1.safetensors")
    assert all(torch.equal(a, b) for a, b in zip(found.parameters(), whole.parameters(), strict=True))
    assert len(history.losses) == 2


def test_many_teachers_are_trained_side_by_side_as_they_would_be_alone(tmp_path):
    small = {name: value for name, value in SMALL.items() if name != "progress"}
    training = replace(recipes.load("dm/p1").training, epochs=1, **small)
    wanted = [replace(recipes.load(name), training=training) for name in ("dm/p1", "rp/p1")]
    trained = meta.train_teachers(wanted, (3, 4), tmp_path, workers=2, progress=False)
    assert list(trained) == ["dm/p1", "rp/p1"]
    alone, history = wanted[1].train(4, progress=False)
    model, found = trained["rp/p1"][1]
    assert found.losses == pytest.approx(history.losses)
    torch.testing.assert_close(model.state_dict(), alone.state_dict())
    again = meta.train_teachers(wanted, (3, 4), tmp_path, workers=1, progress=False)
    assert again["dm/p1"][0][1] == trained["dm/p1"][0][1]  # nothing is trained twice


def test_a_recipe_can_begin_with_the_optimizer_of_another_of_the_same_seed(tmp_path):
    first = recipes.load("rp_small_extra/p2")
    recipe = replace(recipes.load("rp_small_extra/p1"), start=first.name)
    optimizer, _ = recipe.train(1, tmp_path, epochs=1, lr=1e-30, decay=False, **SMALL)  # stands still
    pretrained = models.load(first.pretrained(1))
    assert digest(optimizer.state_dict()) == digest(pretrained.state_dict())
    described = models.describe(recipe.path(tmp_path, 1))["training"]
    assert described["start"] == first.name
    assert described["initial_weights"] == digest(pretrained.state_dict())
    text = models.card(recipe.path(tmp_path, 1))
    assert "from the weights of `rp_small_extra/p2` of that seed on" in text


def test_a_start_that_is_not_at_hand_is_trained_first(tmp_path, monkeypatch):
    training = replace(recipes.load("dm/p1").training, epochs=1, steps=10, unroll=5, instances=4)
    first = replace(recipes.load("dm/p1"), training=replace(training, validation_instances=4))
    second = replace(first, name="dm/p2", start="dm/p1")
    monkeypatch.setattr(recipes, "load", {"dm/p1": first}.__getitem__)
    second.train(1, tmp_path, progress=False)
    assert first.path(tmp_path, 1).is_file()
    left = models.load(first.path(tmp_path, 1))
    began = models.describe(second.path(tmp_path, 1))["training"]["initial_weights"]
    assert began == digest(left.state_dict())


def test_an_optimizer_that_began_elsewhere_is_of_another_recipe(tmp_path):
    recipe = replace(recipes.load("rp_small/p1"), start="rp_small/p2")
    short = replace(recipe.training, epochs=1, steps=10, unroll=5, instances=4, validation_instances=4)
    recipe = replace(recipe, training=short)
    recipe.train(0, tmp_path, progress=False)
    recipe.read(recipe.path(tmp_path, 0), 0)
    with pytest.raises(CheckpointError, match="start"):
        replace(recipe, start=None).read(recipe.path(tmp_path, 0), 0)


def test_pretrained_models_of_the_very_recipe_are_taken_with_their_histories(tmp_path):
    small = {name: value for name, value in SMALL.items() if name != "progress"}
    recipe = recipes.load("rp_small/p2")
    shorter = replace(recipe, training=replace(recipe.training, epochs=1, **small), task={"name": "digits"})
    trained = meta.train_teachers([recipe], (2, 0), tmp_path, 1, progress=False, pretrained=True)
    for seed, (model, history) in zip((2, 0), trained["rp_small/p2"], strict=True):
        training = models.describe(recipe.pretrained(seed))["training"]
        assert training["seed"] == seed
        assert json.loads(json.dumps(history.summary())) == training["history"]
        assert digest(model.identity) == digest(recipes.teacher("rp_small/p2", seed).identity)
    assert shorter.pretrained(0) is None
    assert recipe.pretrained(99) is None
    meta.train_teachers([shorter], (0,), tmp_path, 1, progress=False, pretrained=True)
    assert shorter.path(tmp_path, 0).is_file()


def test_a_training_that_fails_does_not_cost_the_others(tmp_path):
    small = {name: value for name, value in SMALL.items() if name != "progress"}
    base = replace(recipes.load("rp/p1").training, epochs=5, decay=False, **small)
    bad = replace(recipes.load("dm/p1"), training=replace(base, lr=1e30))
    good = replace(recipes.load("rp/p1"), training=base)
    with pytest.raises(DivergenceError, match="5 epochs in a row"):
        meta.train_teachers([bad, good], (0,), tmp_path, workers=1, progress=False)
    assert good.path(tmp_path, 0).is_file()


def test_no_more_processes_are_started_than_there_are_trainings(tmp_path, monkeypatch):
    counts = []
    monkeypatch.setattr(
        joblib, "parallel_config", lambda *_, n_jobs, **__: nullcontext(counts.append(n_jobs))
    )
    small = {name: value for name, value in SMALL.items() if name != "progress"}
    recipe = recipes.load("rp_small/p1")
    recipe = replace(recipe, training=replace(recipe.training, epochs=1, **small))
    for seeds in ([0], [0, 1], []):
        meta.train_teachers([recipe], seeds, tmp_path, workers=3, progress=False)
    assert counts == [1, 2, 1]


def test_an_unknown_teacher_is_named():
    with pytest.raises(ConfigError, match="unknown teacher 'rp/p9'; did you mean 'rp/p3'"):
        recipes.load("rp/p9")


def test_a_teacher_is_that_of_its_seed_where_it_was_trained(tmp_path):
    recipe = recipes.load("rp_small/p2")
    own = models.RPSmall()
    models.save(recipe.path(tmp_path, 7), own, recipe.record(7))
    trained = recipes.teacher("rp_small/p2", 7, tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(trained.parameters(), own.parameters(), strict=True))


def test_what_was_trained_here_goes_before_what_came_with_the_library(tmp_path):
    recipe, own = recipes.load("rp_small/p2"), models.RPSmall()
    assert recipe.source(0, tmp_path) == recipe.pretrained(0)
    models.save(recipe.path(tmp_path, 0), own, recipe.record(0))
    assert recipe.source(0, tmp_path) == recipe.path(tmp_path, 0)
    trained = meta.train_teachers([recipe], (1,), tmp_path, 1, progress=False, pretrained=True)
    assert digest(trained["rp_small/p2"][0][0].identity) == digest(models.load(recipe.pretrained(1)).identity)
    assert digest(recipes.teacher("rp_small/p2", 0, tmp_path).identity) == digest(own.identity)
    assert recipe.source(99, tmp_path) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"training": TrainingConfig(epochs=10)}, "epochs: 10 there, 200 here"),
        ({"task": {"name": "digits", "part": "train"}}, "task: {'name': 'digits', 'part': 'train'} there"),
        ({"model": {"architecture": "RPSmall", "hidden": 9}}, "options: .*'hidden': 9"),
        ({"model": {"architecture": "RPSmallExtra"}}, "architecture: 'RPSmallExtra' there, 'RPSmall' here"),
    ],
    ids=["shortened", "stand-in", "another width", "another network"],
)
def test_a_teacher_of_another_recipe_is_refused_by_what_differs(tmp_path, change, words):
    recipe = recipes.load("rp_small/p2")
    other = replace(recipe, **change)
    models.save(recipe.path(tmp_path, 7), recipes.build(**other.model), other.record(7))
    with pytest.raises(CheckpointError, match=words):
        recipes.teacher("rp_small/p2", 7, tmp_path)


def test_a_teacher_that_does_not_say_how_it_was_trained_is_refused(tmp_path):
    models.save(recipes.load("rp_small/p2").path(tmp_path, 7), models.RPSmall())
    with pytest.raises(CheckpointError, match="recipe: None there"):
        recipes.teacher("rp_small/p2", 7, tmp_path)


def test_a_longer_training_is_not_taken_for_a_shorter_one(tmp_path):
    recipe = recipes.load("rp_small/p1")
    recipe.train(1, tmp_path, epochs=2, decay=False, **SMALL)
    with pytest.raises(CheckpointError, match="2 epochs of this training already, more than 1"):
        recipe.train(1, tmp_path, epochs=1, decay=False, **SMALL)


@pytest.mark.parametrize("seed", [8, 0, None])
def test_a_seed_that_is_not_there_is_refused_with_the_command_that_trains_it(tmp_path, monkeypatch, seed):
    name = "rp_small/p2"
    if seed != 8:
        monkeypatch.setattr(models, "pretrained", list)  # as if nothing came with the library
    with pytest.raises(ConfigError, match=f"l2o train {name} --seeds {seed or 0} --folder {tmp_path}"):
        recipes.teacher(name, seed, tmp_path)


@pytest.mark.parametrize("name", models.pretrained())
def test_a_pretrained_model_is_that_of_its_own_seed(name):
    training = models.describe(name)["training"]
    found = recipes.teacher(training["recipe"], training["seed"])
    assert digest(found.identity) == digest(models.load(name).identity)
    with pytest.raises(ConfigError, match="no teacher of seed 99"):
        recipes.teacher(training["recipe"], 99)


def test_no_two_pretrained_models_are_equal():
    digests = [digest(models.load(name).identity) for name in models.pretrained()]
    assert len(set(digests)) == len(digests)


def test_no_two_seeds_give_equal_teachers(tmp_path):
    recipe, options = recipes.load("rp_small/p1"), SMALL | {"epochs": 1, "decay": False}
    found = {digest(recipe.train(seed, tmp_path, **options)[0].identity) for seed in range(4)}
    assert len(found) == 4


@pytest.mark.parametrize("name", [None, 3, ["rp/p2"]])
def test_what_is_no_name_is_an_unknown_one(name):
    with pytest.raises(ConfigError, match="unknown teacher"):
        recipes.load(name)
    with pytest.raises(ConfigError, match="no architecture"):
        recipes.build(name)


def test_unknown_options_are_named():
    with pytest.raises(ConfigError, match="a training has no option 'epoch'; did you mean 'epochs'"):
        recipes.load("rp/p2").train(epoch=3)
    with pytest.raises(ConfigError, match="RP has no option 'hiden'; did you mean 'hidden'"):
        recipes.build("RP", hiden=3)
    with pytest.raises(ConfigError, match="seed must be a whole number, 0 or more"):
        recipes.load("rp/p1").train(-1)


@pytest.mark.parametrize("workers", ["2", 0, 1.5])
def test_workers_are_a_whole_number(tmp_path, workers):
    with pytest.raises(ConfigError, match="workers must be a whole number, 1 or more"):
        meta.train_teachers([], [0], tmp_path, workers=workers)
