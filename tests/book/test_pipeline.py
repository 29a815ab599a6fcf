"""Studies: the same rows and fronts for every experiment, kept and found again."""

from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
from l2o_book import sources, teachers
from l2o_book.pipeline import Pipeline

from l2o_core import distiller, meta, models, tasks
from l2o_core.distiller import search
from l2o_core.errors import CheckpointError, ConfigError, DataError
from l2o_core.features import Features
from l2o_core.meta import TrainingConfig, evaluation
from l2o_core.models import Equation
from l2o_core.storage import digest

DISTILL, EVALUATE = search, evaluation
SGD = Equation("-0.01 * g[0] - 0.005 * g[1]")


@pytest.fixture
def pipeline(tmp_path):
    return Pipeline(tmp_path, engine="linear", time_limit=1.0, samples=300, lags=3)


@pytest.fixture
def problem():
    return tasks.load("p1")


def no_search(*arguments, **options):
    raise AssertionError("searched again")


def no_run(*arguments, **options):
    raise AssertionError("run again")


class TestTeacher:
    def test_the_pretrained_one_of_the_seed_without_a_folder(self):
        theirs, ours = models.load("rp_small_extra/p1-0"), Pipeline().teacher("rp_small_extra", "p1", 0)
        assert all(torch.equal(a, b) for a, b in zip(theirs.parameters(), ours.parameters(), strict=True))

    def test_no_other_seed_without_a_folder(self):
        with pytest.raises(ConfigError, match="l2o train rp_small_extra/p1 --seeds 5"):
            Pipeline().teacher("rp_small_extra", "p1", 5)

    def test_a_pretrained_one_of_the_seed_is_not_trained_again(self, pipeline, monkeypatch):
        monkeypatch.setattr(meta.recipes.Recipe, "train", no_run)
        seed = models.describe("rp_small/p1")["training"]["seed"]
        found = pipeline.teacher("rp_small", "p1", seed)
        assert digest(found.identity) == digest(models.load("rp_small/p1").identity)

    def test_a_seed_that_the_folder_lacks_is_trained(self, pipeline, monkeypatch):
        small = TrainingConfig(epochs=1, steps=10, unroll=5, validation_instances=2)
        recipe = replace(meta.recipes.load("rp_small/p1"), training=small)
        monkeypatch.setattr(meta.recipes, "load", lambda name: recipe)
        first, again, other = (pipeline.teacher("rp_small", "p1", seed) for seed in (11, 11, 12))
        sources.forget()
        assert digest(first.identity) == digest(again.identity) != digest(other.identity)

    def test_equal_teachers_of_two_seeds_are_refused(self, pipeline):
        recipe = meta.recipes.load("dm/p1")
        for seed in (1, 2):
            models.save(recipe.path(pipeline.folder, seed), models.load("dm/p1"), recipe.record(seed))
        sources.forget()
        pipeline.teacher("dm", "p1", 1)
        with pytest.raises(DataError, match="dm/p1, seed 2 and dm/p1, seed 1 are one model"):
            pipeline.teacher("dm", "p1", 2)
        sources.forget()

    def test_digits_stand_in_for_p2(self):
        theirs, ours = models.load("dm/p2-0"), Pipeline().teacher("dm", "digits", 0)
        assert all(torch.equal(a, b) for a, b in zip(theirs.parameters(), ours.parameters(), strict=True))

    def test_one_of_the_folder_goes_first(self, pipeline):
        recipe = meta.recipes.load("rp_small_extra/p1")
        mine = meta.recipes.build(**recipe.model)
        models.save(recipe.path(pipeline.folder, 7), mine, recipe.record(7))
        found = pipeline.teacher("rp_small_extra", "p1", 7)
        assert all(torch.equal(a, b) for a, b in zip(mine.parameters(), found.parameters(), strict=True))

    def test_a_shortened_one_of_the_folder_is_refused(self, pipeline):
        recipe = meta.recipes.load("rp_small/p1")
        short = recipe.record(7) | {"epochs": 15}
        models.save(recipe.path(pipeline.folder, 7), meta.recipes.build(**recipe.model), short)
        with pytest.raises(CheckpointError, match="epochs: 15 there, 300 here"):
            pipeline.teacher("rp_small", "p1", 7)


def test_teachers_and_rows_are_made_on_its_device(tmp_path):
    elsewhere = Pipeline(tmp_path, device="nowhere")
    with pytest.raises(ConfigError, match="no NOWHERE device here"):
        elsewhere.trajectories(SGD, "p1", 0)
    with pytest.raises(ConfigError, match="no NOWHERE device here"):
        elsewhere.teacher("rp", "p1", 7)
    with pytest.raises(ConfigError, match="no NOWHERE device here"):
        teachers.trained([meta.recipes.load("rp/p1")], [7], tmp_path, workers=1, device="nowhere")


@pytest.mark.parametrize("retrain", [False, True])
def test_a_teacher_that_ships_is_trained_again_only_where_asked(tmp_path, retrain):
    sources.forget()
    with pytest.raises(ConfigError, match="NOWHERE") if retrain else nullcontext():
        found = teachers.trained([meta.recipes.load("rp/p2")], [2], tmp_path, 1, "nowhere", retrain)
        assert digest(found["rp/p2"][0][0].identity) == digest(models.load("rp/p2-2").identity)
        assert sources.used()["teachers"]["rp/p2, seed 2"]["cached"]
    sources.forget()


class TestWatch:
    def test_rows_are_found_again(self, pipeline, monkeypatch):
        first = pipeline.trajectories(SGD, "p1", 0)
        monkeypatch.setattr("l2o_core.distiller.collect", no_run)
        again = pipeline.trajectories(SGD, "p1", 0)
        assert (again.inputs == first.inputs).all()
        with pytest.raises(AssertionError, match="run again"):
            pipeline.trajectories(SGD, "p1", 1)
        with pytest.raises(AssertionError, match="run again"):
            pipeline.trajectories(Equation("-0.02 * g[0] - 0.005 * g[1]"), "p1", 0)
        with pytest.raises(AssertionError, match="run again"):
            pipeline.trajectories(SGD, "p1", 0, Features(("m",), beta1=0.9))


class TestDistill:
    def test_a_front_is_found_again(self, pipeline, monkeypatch):
        data = pipeline.trajectories(SGD, "p1", 0)
        front = pipeline.distill(data, 0)
        (file,) = pipeline.folder.glob("fronts/*.json")
        assert distiller.ParetoFront.load(file).entries == front.entries
        assert front.best.r2 > 0.999
        monkeypatch.setattr(DISTILL, "measure", no_search)
        again = pipeline.distill(pipeline.trajectories(SGD, "p1", 0), 0)
        assert [str(entry.equation) for entry in again] == [str(entry.equation) for entry in front]

    def test_other_settings_are_searched(self, pipeline, monkeypatch):
        data = pipeline.trajectories(SGD, "p1", 0)
        pipeline.distill(data, 0)
        monkeypatch.setattr(DISTILL, "measure", no_search)
        with pytest.raises(AssertionError, match="searched again"):
            pipeline.distill(data, 1)

    def test_nothing_is_kept_without_a_folder(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        pipeline = Pipeline(engine="linear", time_limit=1.0, samples=300, lags=3)
        pipeline.distill(pipeline.trajectories(SGD, "p1", 0), 0)
        assert not list(tmp_path.iterdir())


class TestRace:
    def test_all_run_on_the_same_instances(self, pipeline, problem):
        slow, fast = pipeline.evaluate([Equation("-0.001 * g"), Equation("-0.01 * g")], problem, 5, 4, seed=1)
        assert slow.shape == fast.shape == (4, 6)
        assert torch.equal(slow[:, 0], fast[:, 0])
        assert (fast[:, -1] < slow[:, -1]).all()

    def test_side_by_side_is_the_same(self, problem):
        rules = [Equation(f"-{rate} * g") for rate in (0.01, 0.02, 0.03)]
        one, two = (Pipeline(workers=count).evaluate(rules, problem, 5, 4, seed=1) for count in (1, 2))
        assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


class TestKeptRuns:
    def test_a_run_is_found_again(self, pipeline, problem, monkeypatch):
        first = pipeline.evaluate([SGD], problem, 5, 4, seed=1)[0]
        monkeypatch.setattr(EVALUATE, "unroll", no_run)
        assert torch.equal(pipeline.evaluate([SGD], problem, 5, 4, seed=1)[0], first)

    @pytest.mark.parametrize(
        "changes", [{"steps": 6}, {"seed": 2}, {"instances": 3}, {"optimizer": Equation("-0.01 * g[0]")}]
    )
    def test_another_run_is_run(self, pipeline, problem, monkeypatch, changes):
        options = {"optimizer": SGD, "steps": 5, "seed": 1, "instances": 4}
        meta.evaluate(task=problem, cache=pipeline.cache, **options)
        monkeypatch.setattr(EVALUATE, "unroll", no_run)
        with pytest.raises(AssertionError, match="run again"):
            meta.evaluate(task=problem, cache=pipeline.cache, **(options | changes))

    def test_other_weights_are_another_optimizer(self, pipeline, problem, monkeypatch):
        teacher = models.RPSmallExtra()
        meta.evaluate(teacher, problem, steps=2, instances=2, cache=pipeline.cache)
        with torch.no_grad():
            next(teacher.parameters()).mul_(1.01)
        monkeypatch.setattr(EVALUATE, "unroll", no_run)
        with pytest.raises(AssertionError, match="run again"):
            meta.evaluate(teacher, problem, steps=2, instances=2, cache=pipeline.cache)

    def test_a_damaged_file_is_reported(self, pipeline, problem):
        meta.evaluate(SGD, problem, steps=2, instances=2, cache=pipeline.cache)
        (file,) = pipeline.folder.glob("losses/*.pt")
        file.write_bytes(b"cut")
        with pytest.raises(CheckpointError, match="cut short"):
            meta.evaluate(SGD, problem, steps=2, instances=2, cache=pipeline.cache)
