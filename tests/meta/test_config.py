"""The options of meta-training in one object: signature, recipe and checkpoint agree."""

import inspect
from dataclasses import fields

import numpy as np
import pytest
import torch

from l2o_core import meta
from l2o_core.meta import TrainingConfig, recipes


@pytest.mark.parametrize("function", [meta.meta_train, meta.tune])
def test_every_option_is_a_keyword(function):
    keywords = inspect.signature(function).parameters
    assert {field.name for field in fields(TrainingConfig)} <= keywords.keys()


def test_meta_train_has_the_defaults_of_the_config():
    keywords = inspect.signature(meta.meta_train).parameters
    assert all(keywords[field.name].default == field.default for field in fields(TrainingConfig))


def test_plain_values_make_the_same_config():
    config = TrainingConfig(steps=[20, 40], lr=0.1, state_dtype=torch.float16)
    assert config.plain()["steps"] == [20, 40]
    assert config.plain()["state_dtype"] == "float16"
    assert TrainingConfig.from_plain(config.plain()) == config


@pytest.mark.parametrize(("decay", "equal"), [(True, False), (False, True)])
def test_the_number_of_epochs_is_part_of_the_identity_only_if_it_sets_the_learning_rate(decay, equal):
    few, many = (TrainingConfig(epochs=epochs, decay=decay) for epochs in (3, 5))
    assert (few.identity == many.identity) is equal


def test_a_recipe_is_a_config():
    assert recipes.load("dm/p2").training == TrainingConfig(
        epochs=160,
        steps=100,
        unroll=20,
        lr=0.001,
        decay=True,
        validate_every=10,
        validation_instances=3,
        fraction=0.05,
        scaling=3,
    )


def test_numpys_numbers_make_the_same_config():
    given = {"seed": np.int64(3), "epochs": np.uint8(2), "instances": np.int32(4), "lr": np.float64(0.5)}
    given |= {"steps": np.array([20, 40]), "decay": np.bool_(True), "estimator": np.str_("pes")}
    config = TrainingConfig(**given)
    plain = TrainingConfig(seed=3, epochs=2, instances=4, lr=0.5, steps=[20, 40], decay=True, estimator="pes")
    assert config == plain
    assert {type(value) for value in vars(config).values()} <= {bool, int, float, str, tuple, type(None)}
