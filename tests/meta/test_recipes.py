"""Every teacher of the recipes can be built, trained, stopped and found again."""

import pytest
import torch

from l2o_core import models, tasks
from l2o_core.errors import ConfigError
from l2o_core.meta import recipes

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


def test_an_unknown_teacher_is_named():
    with pytest.raises(ConfigError, match="unknown teacher 'rp/p9'; known teachers: dm/p2"):
        recipes.load("rp/p9")
