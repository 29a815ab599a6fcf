"""The rate of a contestant."""

from pathlib import Path

from l2o_book import records
from l2o_book.contestants import best_rate, discovered_rule

from l2o_core.expressions import parse_rule


def test_of_equally_good_rates_the_middle_one_is_taken():
    assert best_rate([70, 80, 80, 80, 75], [0.1, 0.3, 1, 3, 10]) == 1
    assert best_rate([80, 70, 80], [1.0, 0.1, 10.0]) == 10


def test_the_discovered_rule_is_that_of_the_record(monkeypatch):
    monkeypatch.setenv("L2O_BOOK_ROOT", str(Path(__file__).parents[2]))
    text, source = discovered_rule()
    assert str(parse_rule(text)) == text
    assert source == records.load("rules_with_memory", "standard").source
