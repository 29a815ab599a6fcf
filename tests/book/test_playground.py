"""Typed equations are shown, raced, or answered in words."""

import pytest
from l2o_book.playground import described, playground

from l2o_core import tasks
from l2o_core.errors import ConfigError, ExpressionError

SMALL = {"steps": 30, "instances": 4}


@pytest.fixture(scope="module")
def task():
    return tasks.load("p1")


def test_an_equation_is_described(task):
    told = described("-0.01 * (g[0] + 0.5 * g[1])", task, **SMALL)
    assert "g_{t-1}" in told["latex"]
    assert told["facts"] == "7 nodes. Temporal perception field in steps: g 0.3."
    assert told["png"].startswith("iVBOR")


@pytest.mark.parametrize(
    ("text", "size"),
    [("-0.1 * m_hat / (1 + 0.01 * t)", "9 nodes."), ("-0.1", "1 node."), ("-0.1 * sign(g)", "4 nodes.")],
)
def test_rules_without_lags_are_described_too(task, text, size):
    assert described(text, task, **SMALL)["facts"].startswith(size)


def test_what_diverges_is_counted_not_hidden(task):
    assert "4 of 4 runs diverged" in described("1e30 * g[0]", task, **SMALL)["facts"]


@pytest.mark.parametrize(
    ("text", "error"), [("__import__('os')", ExpressionError), ("-q[0]", ConfigError), ("", ExpressionError)]
)
def test_what_is_no_rule_is_refused(task, text, error):
    with pytest.raises(error):
        described(text, task, **SMALL)


def test_the_box_answers_in_words(task):
    box = playground(task, **SMALL)
    text, words, picture = box.children
    assert "nodes" in words.value
    assert "<img" in picture.value
    text.value = "-0.1 * nonsense<script>("
    assert picture.value == ""
    assert "<script>" not in words.value
