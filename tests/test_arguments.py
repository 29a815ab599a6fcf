"""Options as plain Python values, or refused by name."""

import math
from fractions import Fraction

import numpy as np
import pytest

from l2o_core import arguments, meta
from l2o_core.errors import ConfigError


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
