"""Options as plain Python values, or refused by name."""

import math
from fractions import Fraction

import numpy as np
import pytest

from l2o_core import arguments, meta, models, tasks
from l2o_core.errors import ConfigError, did_you_mean
from l2o_core.optim import zoo


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3)])
def test_any_integer_is_a_whole_number(value):
    assert type(arguments.whole("steps", value, 0)) is int


@pytest.mark.parametrize("value", [3.0, True, "3", None, np.float64(3), -1])
def test_anything_else_is_refused_by_name(value):
    with pytest.raises(ConfigError, match="steps must be a whole number, 0 or more, not"):
        arguments.whole("steps", value, 0)


@pytest.mark.parametrize("value", [0, -1.0, math.nan, math.inf, True, "1", None, 10**400])
def test_a_positive_number_is_finite_unless_said_otherwise(value):
    with pytest.raises(ConfigError, match="time must be a positive number of seconds"):
        arguments.positive("time", value, "seconds")
    assert arguments.positive("huber", math.inf, "standard deviations", infinite=True) == math.inf


@pytest.mark.parametrize(
    "options",
    [{"lr": math.nan}, {"lr": 10**400}, {"lr": True}, {"epochs": 2.0}, {"decay": 1}, {"estimator": None},
     {"steps": "20"}, {"steps": 20.0}, {"steps": [20, True]}, {"steps": None}, {"steps": {20: 1}}],
)  # fmt: skip
def test_options_of_another_type_than_their_annotation_are_refused_by_name(options):
    with pytest.raises(ConfigError, match=f"{next(iter(options))} must be"):
        meta.TrainingConfig(**options)


@pytest.mark.parametrize(
    ("value", "kind"),
    [(np.float32(0.5), float), (np.longdouble(0.5), float), (Fraction(1, 2), float), (np.int8(3), int),
     (np.bool_(True), bool), (np.str_("pes"), str), (True, bool), (3, int), (None, type(None))],
)  # fmt: skip
def test_the_numbers_of_other_packages_become_pythons_own(value, kind):
    assert type(arguments.plain(value)) is kind
    assert arguments.plain(value) == value


def test_a_whole_number_may_have_a_largest_value():
    assert arguments.whole("seed", 5, 0, 5) == 5
    with pytest.raises(ConfigError, match="seed must be a whole number, 0 or more and 5 or less, not 6"):
        arguments.whole("seed", 6, 0, 5)


@pytest.mark.parametrize(
    ("name", "known", "want"),
    [("c", ["cd", "g"], "known: cd, g"), ("ab", ["abc"], "known: abc"), ("P1", ["p2", "p1"], "'p1'"),
     ("adam", ["ad", "rs"], "known: ad, rs"), ("p22", ["p2"], "'p2'"), ("Ninty", ["ninety"], "'ninety'"),
     ("sgd", ["SGD", "Sgd"], "'SGD'"), (3, ["three"], "known: three"), (None, ["nonce"], "'nonce'")],
)  # fmt: skip
def test_a_hint_names_what_is_near_and_nothing_else(name, known, want):
    """Of few letters, any two names are alike."""
    assert did_you_mean(name, known) in (want, f"did you mean {want}?")


@pytest.mark.parametrize(
    ("load", "name", "near"),
    [(tasks.load, "P1", "p1"), (models.load, "RP/P2", "rp/p2"), (zoo.get, "SGD", "sgd")],
)
def test_a_name_in_capitals_has_a_hint(load, name, near):
    with pytest.raises(ConfigError, match=rf"did you mean '{near}'\?$"):
        load(name)
