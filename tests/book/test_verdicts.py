"""One rule for verdicts, against known intervals and p-values."""

import math

import numpy as np
import pytest
from l2o_book import verdicts
from scipy import stats


def test_seeds_that_are_shared_are_compared_pair_by_pair():
    ours, theirs = [0.30, 0.50, 0.70], [0.40, 0.61, 0.79]
    apart, paired = verdicts.lower(ours, theirs), verdicts.lower(ours, theirs, paired=True)
    assert apart.verdict == "undecided"
    assert paired.verdict == "reproduced"
    want = stats.ttest_rel(ours, theirs)
    assert paired.p == pytest.approx(want.pvalue)
    assert (paired.low, paired.high) == pytest.approx(tuple(want.confidence_interval()))


def test_the_reverse_is_not_reproduced():
    found = verdicts.lower([0.9, 0.91, 0.92], [0.1, 0.11, 0.1])
    assert found.verdict == "not reproduced"
    assert verdicts.higher([0.9, 0.91, 0.92], [0.1, 0.11, 0.1]).verdict == "reproduced"


def test_a_rule_without_seeds_is_exact_and_sides_can_be_exchanged():
    ours, theirs = [0.3, 0.31, 0.29], [0.4]
    found, reverse = verdicts.lower(ours, theirs), verdicts.lower(theirs, ours)
    interval = stats.ttest_1samp(ours, 0.4).confidence_interval()
    assert (found.low, found.high) == pytest.approx((interval.low - 0.4, interval.high - 0.4))
    assert (reverse.low, reverse.high) == pytest.approx((-found.high, -found.low))
    assert (found.verdict, reverse.verdict) == ("reproduced", "not reproduced")


def test_one_seed_decides_nothing_and_no_run_is_said():
    assert verdicts.lower([0.1], [0.9]).verdict == "undecided"
    assert verdicts.lower(None, [0.9]).verdict == "not run"
    assert str(verdicts.lower([], [0.9])) == "–"
    assert str(verdicts.lower([0.1], [0.9])) == "-0.8"


def test_a_seed_that_diverged_counts_as_the_worst():
    assert verdicts.lower([0.1, 0.1, math.nan], [0.5, 0.5, 0.5]).difference == pytest.approx(0.7 / 3 - 0.5)
    assert verdicts.higher([0.9, 0.9, math.nan], [0.5, 0.5, 0.6]).difference == pytest.approx(
        2.3 / 3 - 1.6 / 3
    )


def test_many_claims_do_not_make_one_true_by_chance():
    rng = np.random.default_rng(0)
    claims = {
        str(i): verdicts.lower(rng.normal(size=5).tolist(), rng.normal(size=5).tolist()) for i in range(200)
    }
    assert any(claim.verdict != "undecided" for claim in claims.values())
    corrected = verdicts.together(claims)
    assert list(corrected) == list(claims)
    assert all(claim.verdict == "undecided" for claim in corrected.values())
    smallest = min(claims, key=lambda name: claims[name].p)
    assert corrected[smallest].p == pytest.approx(min(1.0, 200 * claims[smallest].p))


def test_equal_differences_have_no_spread_and_count_by_their_number_alone():
    """Two runs that differ by one row of a small data set are no proof; ten are, whatever the difference."""
    assert verdicts.lower([0.25, 0.5], [0.5, 0.75], paired=True).p == 0.5
    assert verdicts.lower([0.25, 0.5], [0.5, 0.75], paired=True).verdict == "undecided"
    assert verdicts.lower([0.25, 0.5] * 5, [0.5, 0.75] * 5, paired=True).verdict == "reproduced"
    assert verdicts.lower([0.25, 0.5], [0.25, 0.5], paired=True).verdict == "undecided"


def test_claims_of_several_tables_stand_side_by_side():
    clear, open_ = verdicts.lower([0.1, 0.11, 0.12], [0.9, 0.91, 0.95]), verdicts.lower([0.1], [0.2])
    tables = {"P2": {"A below B": clear}, "P3": {"A below B": open_}}
    assert verdicts.having("reproduced", tables) == ["A below B on P2"]
    (row,) = verdicts.frame(tables).to_dict("records")
    assert row["claim"] == "A below B"
    assert (row["P2, verdict"], row["P3, verdict"]) == ("reproduced", "undecided")
    assert row["P3, difference"] == "-0.1"


def test_a_rank_correlation_is_reproduced_if_it_has_the_claimed_sign():
    x, noise = list(range(10)), [0.0, 2, 1, 3, 5, 4, 6, 8, 7, 9]
    rising = verdicts.correlated(x, noise)
    assert rising.verdict == verdicts.REPRODUCED
    assert rising.difference == pytest.approx(stats.spearmanr(x, noise).statistic)
    assert rising.p < 0.01
    assert verdicts.correlated(x, noise, negative=True).verdict == verdicts.NOT_REPRODUCED
    assert verdicts.correlated(x, [-y for y in noise], negative=True).verdict == verdicts.REPRODUCED
    diverged = verdicts.correlated([*x[:-1], float("nan")], [*noise[:-1], float("inf")])
    assert diverged.difference == rising.difference  # the largest already


def test_a_weak_correlation_is_undecided_and_two_points_are_none():
    weak = verdicts.correlated(range(6), [3.0, 1, 4, 1, 5, 2])
    assert weak.verdict == verdicts.UNDECIDED
    assert str(weak).startswith("+")
    assert verdicts.correlated([1, 2], [1, 2]).verdict == verdicts.NOT_RUN


def test_claims_are_named_by_verdict():
    claims = {"a": verdicts.lower([1, 1.1, 1.2], [2, 2.1, 2.3]), "b": verdicts.lower(None, [1])}
    assert verdicts.named(verdicts.REPRODUCED, claims) == ["a"]
    assert verdicts.named(verdicts.NOT_RUN, claims) == ["b"]


def test_verdicts_are_counted_in_a_sentence():
    claims = [verdicts.lower(*sides) for sides in ([[0.1], [0.9]], [[0.2], [0.3]], [[], [0.1]])]
    claims.append(verdicts.lower([0.1, 0.11, 0.12], [0.9, 0.91, 0.92]))
    assert verdicts.counted(claims) == "Of 3 claims, 1 is reproduced, 0 are not, and 2 are undecided"


def test_a_bootstrap_over_cases_agrees_with_the_normal_interval():
    rng = np.random.default_rng(1)
    theirs = rng.normal(size=(1, 400))
    ours = theirs + rng.normal(0.1, 0.5, (1, 400))
    found = verdicts.resampled(ours, theirs)
    error = (ours - theirs).std(ddof=1) / 20
    assert found.difference == pytest.approx((ours - theirs).mean())
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.05)
    assert found.verdict == verdicts.REPRODUCED


def test_few_runs_widen_a_bootstrap_as_much_as_they_vary():
    ours = np.array([[0.0], [1.0], [2.0]]) + np.zeros(100)
    found = verdicts.resampled(ours, np.zeros((1, 100)), draws=20_000)
    assert found.difference == 1
    # the means of two draws of three: 0, 0.5, 1, 1.5, 2, with a variance of 1/3 as that of three seeds
    assert (found.low, found.high) == pytest.approx((0, 2))
    assert found.verdict == verdicts.UNDECIDED


def test_cases_that_are_all_alike_are_no_proof():
    few, many = np.zeros((1, 100)), np.zeros((1, 2000))
    assert verdicts.resampled(few, few, margin=0.5).verdict == verdicts.REPRODUCED
    found = verdicts.resampled(few, few, margin=0.5, largest=100.0)
    assert found.verdict == verdicts.UNDECIDED
    assert found.difference == 0
    assert found.low < -0.5 < 0.5 < found.high
    assert verdicts.resampled(many, many, margin=0.5, largest=100.0).verdict == verdicts.REPRODUCED


def test_a_margin_lets_a_bootstrap_end_a_little_below():
    ours, theirs = np.zeros((1, 50)), np.full((1, 50), 0.4)
    assert verdicts.resampled(ours, theirs).verdict == verdicts.NOT_REPRODUCED
    assert verdicts.resampled(ours, theirs, margin=0.5).verdict == verdicts.REPRODUCED
    assert verdicts.resampled(ours, ours).verdict == verdicts.UNDECIDED


def test_a_listing_has_a_row_for_each_claim_of_each_table():
    claim = verdicts.higher([2.0, 2.1, 2.3], [1.0, 1.1, 1.2], paired=True)
    found = verdicts.listing(
        {"Table 1": {"a": claim, "b": claim}, "Table 2": {"c": claim}}, "SOL", "claim", "points"
    )
    assert [*found] == ["SOL", "claim", "points", "verdict"]
    assert found["SOL"].tolist() == ["Table 1", "Table 1", "Table 2"]
    assert found["points"].tolist() == [str(claim)] * 3
    assert found["verdict"].tolist() == [claim.verdict] * 3


def test_a_difference_that_rounds_to_nothing_has_no_minus():
    assert str(verdicts.lower([0.0, 1.0, -1.01], [0.0, 0.0, 0.0])) == "+0.0 [-2.5, +2.5]"


def test_a_margin_lets_seeds_end_a_little_below():
    ours, theirs = [0.90, 0.91, 0.92], [0.95, 0.96, 0.98]
    assert verdicts.higher(ours, theirs, paired=True).verdict == "not reproduced"
    found = verdicts.higher(ours, theirs, margin=0.1, paired=True)
    want = stats.ttest_rel(ours, theirs).confidence_interval()
    assert found.verdict == "reproduced"
    assert (found.low, found.high) == pytest.approx(tuple(want))
    assert found.sides == pytest.approx((0.91, np.mean(theirs)))
    assert found.p == pytest.approx(stats.ttest_1samp(np.array(ours) + 0.1 - theirs, 0).pvalue)


def test_a_rival_that_was_picked_as_the_best_of_several_counts_as_all_of_them():
    """Noise that is compared with the best of eight is beaten too often, if the choice does not count."""
    rng = np.random.default_rng(0)
    naive, fair, runs = 0, 0, 60
    for _ in range(runs):
        ours, rivals = rng.normal(size=5).tolist(), {str(i): rng.normal(size=5).tolist() for i in range(8)}
        best = rivals[verdicts.best_of(rivals)]
        naive += verdicts.lower(ours, best, paired=True).verdict == "not reproduced"
        fair += verdicts.lowest(ours, rivals, paired=True).verdict == "not reproduced"
    assert naive > 0.1 * runs
    assert fair < 0.05 * runs


def test_the_lowest_of_all_is_lower_than_each():
    ours, near, far = [0.1, 0.2, 0.3], [0.11, 0.22, 0.29], [0.9, 1.0, 1.2]
    found = verdicts.lowest(ours, {"near": near, "far": far}, paired=True)
    assert found.verdict == "undecided"
    assert found.p == pytest.approx(verdicts.lower(ours, near, paired=True).p)
    assert found.difference == pytest.approx(np.mean(ours) - np.mean(near))
    sure = verdicts.lowest(ours, {"far": far, "diverged": [0.9, math.nan, 1.2]}, paired=True)
    assert sure.verdict == "reproduced"
    assert verdicts.lowest([0.1], {"near": [0.2], "far": [0.4]}).verdict == "undecided"


def test_the_highest_of_all_is_the_lowest_of_their_negatives():
    ours = [0.9, 0.92, 0.91]
    rivals = {"near": [0.8, 0.83, 0.81], "far": [0.5, 0.55, 0.52]}
    found = verdicts.highest(ours, rivals, paired=True)
    assert found.verdict == "reproduced"
    assert found.difference == pytest.approx(np.mean(ours) - np.mean(rivals["near"]))
    assert found.sides == (pytest.approx(np.mean(ours)), pytest.approx(np.mean(rivals["near"])))
    each = [verdicts.higher(ours, values, paired=True) for values in rivals.values()]
    assert found.p == pytest.approx(max(one.p for one in each))
    assert (found.low, found.high) == pytest.approx((each[0].low, each[0].high))


def test_larger_with_lower_holds_whichever_side_is_larger():
    more, less = verdicts.lower([5.0, 5.1, 5.2], [3.0, 3.2, 3.1]), verdicts.lower([1.0, 1.1], [2.0, 2.2])
    even = verdicts.lower([1.0, 2.0, 3.0], [2.0, 1.0, 3.1])
    assert verdicts.opposed(more, less).verdict == "reproduced"
    assert verdicts.opposed(less, more).verdict == "reproduced"
    assert verdicts.opposed(more, more).verdict == "not reproduced"
    assert verdicts.opposed(less, less).verdict == "not reproduced"
    assert verdicts.opposed(more, even).verdict == "undecided"
    assert verdicts.opposed(more, verdicts.lower(None, None)).verdict == "not run"
    assert verdicts.opposed(more, less, "TPF {}, loss {}").words == f"TPF {more}, loss {less}"
    assert verdicts.opposed(more, verdicts.lower([1.0], [2.0])).verdict == "undecided"
