"""The rate of a contestant."""

from l2o_book.contestants import best_rate


def test_of_equally_good_rates_the_middle_one_is_taken():
    assert best_rate([70, 80, 80, 80, 75], [0.1, 0.3, 1, 3, 10]) == 1
    assert best_rate([80, 70, 80], [1.0, 0.1, 10.0]) == 10
