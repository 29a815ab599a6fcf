"""One rule that says whether a claim of the papers was reproduced.

The unit is the training seed: each side of a comparison is one number per seed, the mean over whatever was
measured with it; where there is none, the comparison names its unit, such as images for attacks. A claim "A
is lower than B" is

- *reproduced* if the 95 % confidence interval of the difference lies below 0,
- *not reproduced* if it lies above 0,
- *undecided* if it contains 0, or if there are too few seeds for an interval,
- *not run* if a side is missing.

Within a table, p-values are corrected by Holm's method, so that many claims do not make one of them true by
chance. A seed that diverged counts as the worst value of either side.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from .records import plural

if TYPE_CHECKING:
    import pandas as pd

REPRODUCED, NOT_REPRODUCED, UNDECIDED, NOT_RUN = "reproduced", "not reproduced", "undecided", "not run"
LEVEL = 0.95


@dataclass(frozen=True)
class Comparison:
    """The difference of two means over seeds, its 95 % interval, and what it says of a claim.

    `sides` are the two means. A comparison of another kind, such as a count, says in `words` what was found.
    """

    difference: float
    low: float
    high: float
    p: float
    verdict: str
    sides: tuple[float, float] = (math.nan, math.nan)
    words: str = ""

    def __str__(self) -> str:
        if self.verdict == NOT_RUN:
            return "–"
        if self.words:
            return self.words
        if math.isnan(self.low):
            return f"{self.difference + 0.0:+.3g}"  # never "-0"
        half = max((self.high - self.low) / 2, 1e-12)  # to two digits
        decimals = min(4, max(0, 1 - math.floor(math.log10(half))))
        middle, low, high = (
            f"{round(number, decimals) + 0.0:+.{decimals}f}"
            for number in (self.difference, self.low, self.high)
        )
        return f"{middle} [{low}, {high}]"


def lower(
    ours: Sequence[float] | None, theirs: Sequence[float] | None, *, paired: bool = False
) -> Comparison:
    """The claim that `ours` is lower than `theirs`, each one value per training seed.

    `paired`: the i-th value of both sides shares a seed. A side with a single value (a hand-made rule has no
    training seed) is taken as exact.
    """
    if not (ours and theirs):
        return Comparison(math.nan, math.nan, math.nan, math.nan, NOT_RUN)
    a, b = _worst_for_diverged(ours, theirs)
    low, high, p = _interval(a, b, paired and len(a) == len(b))
    difference = float(a.mean() - b.mean())
    return Comparison(difference, low, high, p, _verdict(difference, p), (float(a.mean()), float(b.mean())))


def higher(
    ours: Sequence[float] | None,
    theirs: Sequence[float] | None,
    *,
    margin: float = 0.0,
    paired: bool = False,
) -> Comparison:
    """The claim that `ours` is higher than `theirs` less a margin; the difference keeps its sign."""
    found = lower(
        None if ours is None else [-x for x in ours],
        None if theirs is None else [margin - x for x in theirs],
        paired=paired,
    )
    return _turned(found, margin)


def _turned(found: Comparison, margin: float = 0.0) -> Comparison:
    """A comparison of negated values as one of the values themselves."""
    ours_mean, theirs_mean = found.sides
    return replace(
        found,
        difference=-found.difference - margin,
        low=-found.high - margin,
        high=-found.low - margin,
        sides=(-ours_mean, margin - theirs_mean),
    )


def lowest(
    ours: Sequence[float], rivals: Mapping[str, Sequence[float]], *, paired: bool = False
) -> Comparison:
    """The claim that `ours` is lower than every rival; difference and interval are those to the best of them.

    The best rival is picked by the same values, so its own p-value would be too small. Where `ours` is lower
    than all, p is the largest of the comparisons, since all have to hold. Otherwise it is the p of the
    comparison with the best rival, times the number of rivals (Bonferroni).
    """
    found = {name: lower(ours, values, paired=paired) for name, values in rivals.items()}
    best = found[best_of(rivals)]
    if math.isnan(best.p):
        return best
    if all(each.difference < 0 for each in found.values()):
        p = max(each.p for each in found.values())
    else:
        p = min(1.0, best.p * len(found)) if best.difference > 0 else 1.0
    return replace(best, p=p, verdict=_verdict(best.difference, p))


def highest(
    ours: Sequence[float], rivals: Mapping[str, Sequence[float]], *, paired: bool = False
) -> Comparison:
    """The claim that `ours` is higher than every rival; see `lowest`."""
    negated = {name: [-x for x in values] for name, values in rivals.items()}
    return _turned(lowest([-x for x in ours], negated, paired=paired))


def best_of(rivals: Mapping[str, Sequence[float]]) -> str:
    """The name with the lowest mean; one with a value that is not finite comes last."""
    means = {name: float(np.mean(values)) for name, values in rivals.items()}
    return min(means, key=lambda name: means[name] if math.isfinite(means[name]) else math.inf)


def opposed(one: Comparison, other: Comparison, words: str = "{}; {}") -> Comparison:
    """The claim that, of two sides, the one that is higher in `one` is lower in `other`.

    Where a difference may be of either sign, nothing follows, so p is the larger of the two. `words` has a
    place for each difference.
    """
    if NOT_RUN in (one.verdict, other.verdict):
        return Comparison(math.nan, math.nan, math.nan, math.nan, NOT_RUN)
    p = math.nan if math.isnan(one.p + other.p) else max(one.p, other.p)
    verdict = _verdict(one.difference * other.difference, p)
    return Comparison(math.nan, math.nan, math.nan, p, verdict, words=words.format(one, other))


def alike(
    ours: Sequence[float] | None, theirs: Sequence[float] | None, *, margin: float, paired: bool = False
) -> Comparison:
    """The claim that two sides differ by no more than `margin`.

    It is reproduced if the whole 95 % interval of the difference lies within the margin, not reproduced if it
    lies outside, and undecided otherwise. Holm's correction does not concern it.
    """
    found = lower(ours, theirs, paired=paired)
    if found.verdict == NOT_RUN:
        return found
    verdict = UNDECIDED
    if -margin <= found.low and found.high <= margin:
        verdict = REPRODUCED
    elif found.low > margin or found.high < -margin:
        verdict = NOT_REPRODUCED
    return replace(found, p=math.nan, verdict=verdict)


def resampled(
    ours: np.ndarray, theirs: np.ndarray, *, margin: float = 0.0, largest: float = 0.0, draws: int = 4000
) -> Comparison:
    """The claim that `ours` is higher than `theirs` less a margin, each `[runs, cases]`, by a bootstrap.

    A case, such as an image, is the same for all runs, and is drawn for both sides at once. Where a side has
    S runs, one for each training seed, S - 1 of them are drawn as well, which keeps the variance of few seeds
    unbiased (Rao and Wu 1988). A single run is taken as exact: the result holds for what was trained once.

    `largest` is the largest difference that a case can have. With it, half a case for either side is drawn
    among the others (Agresti and Min 2005), without which cases that are all alike would be taken as proof.
    """
    rng = np.random.default_rng(0)
    a, b = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    difference, sides = float(a.mean() - b.mean()), (float(a.mean()), float(b.mean()))
    chances = np.ones(a.shape[1])
    if largest:
        a = np.hstack([a, np.tile([largest, 0.0], (len(a), 1))])
        b = np.hstack([b, np.tile([0.0, largest], (len(b), 1))])
        chances = np.append(chances, [0.5, 0.5])
    cases = round(chances.sum())
    drawn = rng.multinomial(cases, chances / cases, draws) / cases  # weights of the cases
    means = []
    for side in (a, b):
        runs = len(side)
        of_runs = rng.multinomial(max(runs - 1, 1), np.full(runs, 1 / runs), draws) / max(runs - 1, 1)
        means.append((drawn @ side.T * of_runs).sum(1))
    differences = means[0] - means[1]
    low, high = np.quantile(differences, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
    above = differences + margin
    p = min(1.0, 2 * max(min((above <= 0).mean(), (above >= 0).mean()), 1 / draws))
    return Comparison(difference, low, high, p, _verdict(-(difference + margin), p), sides)


def always(cases: Iterable[bool], of: str) -> Comparison:
    """The claim that something is so in every case: one counterexample is enough to refute it.

    `of` names the cases, such as "fronts".
    """
    held = list(cases)
    if not held:
        return Comparison(math.nan, math.nan, math.nan, math.nan, NOT_RUN)
    verdict = REPRODUCED if all(held) else NOT_REPRODUCED
    words = f"{sum(held)} of {len(held)} {of}"
    return Comparison(math.nan, math.nan, math.nan, math.nan, verdict, words=words)


def combined(found: Iterable[Comparison]) -> str:
    """The verdict on a claim that consists of several.

    Not reproduced if one of them is not, reproduced if all of them are, not run if all of them are not run,
    and otherwise undecided.
    """
    said = [each.verdict for each in found]
    if NOT_REPRODUCED in said:
        return NOT_REPRODUCED
    for verdict in (REPRODUCED, NOT_RUN):
        if said and set(said) == {verdict}:
            return verdict
    return UNDECIDED


def together(claims: Mapping[str, Comparison]) -> dict[str, Comparison]:
    """The claims of one table, with verdicts by p-values after Holm's correction."""
    tested = sorted((c.p, name) for name, c in claims.items() if not math.isnan(c.p))
    corrected, largest = dict(claims), 0.0
    for rank, (p, name) in enumerate(tested):
        largest = max(largest, min(1.0, (len(tested) - rank) * p))
        found = claims[name]
        significant = largest < 1 - LEVEL
        verdict = found.verdict if significant else UNDECIDED
        corrected[name] = replace(found, p=largest, verdict=verdict)
    return corrected


def correlated(
    a: Sequence[float], b: Sequence[float], *, negative: bool = False, permutations: int = 2000
) -> Comparison:
    """The claim that two numbers rise together, or, if `negative`, that one falls as the other rises.

    `difference` is Spearman's rank correlation; its two-sided p-value is the fraction of random pairings that
    correlate as strongly. A number that is not finite, as of a run that diverged, ranks as the largest.
    Fewer than three numbers, or numbers that are all the same, have no correlation.
    """
    from scipy import stats

    first, ranks = (stats.rankdata(np.where(np.isfinite(side), side, math.inf)) for side in (a, b))
    if min(len(a), len(b)) < 3 or not (np.ptp(first) and np.ptp(ranks)):
        return Comparison(math.nan, math.nan, math.nan, math.nan, NOT_RUN)
    test = stats.permutation_test(
        (first,),
        lambda paired: float(np.corrcoef(paired, ranks)[0, 1]),
        permutation_type="pairings",
        n_resamples=permutations,
        rng=np.random.default_rng(0),
    )
    rho, p = float(test.statistic), float(test.pvalue)
    found = _verdict(rho if negative else -rho, p)
    return Comparison(rho, math.nan, math.nan, p, found)


def named(verdict: str, claims: Mapping[str, Comparison]) -> list[str]:
    """The claims of a table that have this verdict."""
    return [claim for claim, comparison in claims.items() if comparison.verdict == verdict]


def having(verdict: str, tables: Mapping[str, Mapping[str, Comparison]]) -> list[str]:
    """The claims with this verdict in any of several tables, as "A below B on P2" where the table is "P2"."""
    return [f"{claim} on {table}" for table, claims in tables.items() for claim in named(verdict, claims)]


def counted(claims: Iterable[Comparison]) -> str:
    """The verdicts in a sentence: "Of 5 claims, 2 are reproduced, 1 is not, and 2 are undecided"."""
    said = [claim.verdict for claim in claims if claim.verdict != NOT_RUN]
    numbers = [said.count(verdict) for verdict in (REPRODUCED, NOT_REPRODUCED, UNDECIDED)]
    held, not_held, open_ = (f"{number} {'is' if number == 1 else 'are'}" for number in numbers)
    return f"Of {plural(len(said), 'claim')}, {held} reproduced, {not_held} not, and {open_} undecided"


def listing(
    tables: Mapping[str, Mapping[str, Comparison]], table: str, claim: str, difference: str
) -> pd.DataFrame:
    """All claims of several tables, a row a claim; the last three name the columns beside the verdict's."""
    import pandas as pd

    return pd.DataFrame(
        {table: name, claim: each, difference: str(found), "verdict": found.verdict}
        for name, claims in tables.items()
        for each, found in claims.items()
    )


def frame(tables: Mapping[str, Mapping[str, Comparison]]) -> pd.DataFrame:
    """The same claims in several tables: a row a claim, with difference and verdict for each table."""
    import pandas as pd

    rows = []
    for claim in next(iter(tables.values())):
        row = {"claim": claim}
        for table, claims in tables.items():
            row |= {f"{table}, difference": str(claims[claim]), f"{table}, verdict": claims[claim].verdict}
        rows.append(row)
    return pd.DataFrame(rows)


def _worst_for_diverged(ours: Sequence[float], theirs: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Values that are not finite become the largest finite one of either side."""
    a, b = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    finite = np.concatenate([a[np.isfinite(a)], b[np.isfinite(b)]])
    worst = finite.max() if len(finite) else 0.0
    return np.where(np.isfinite(a), a, worst), np.where(np.isfinite(b), b, worst)


def _interval(a: np.ndarray, b: np.ndarray, paired: bool) -> tuple[float, float, float]:
    """A confidence interval of mean(a) - mean(b), and the two-sided p-value of equality, by t-tests."""
    from scipy import stats

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # all values of a side may be equal
        return _t_interval(stats, a, b, paired)


def _t_interval(stats: ModuleType, a: np.ndarray, b: np.ndarray, paired: bool) -> tuple[float, float, float]:
    several = len(a) > 1, len(b) > 1
    if paired and several[0]:
        differences = a - b
        if np.ptp(differences) == 0:  # no spread to judge by: as likely as that all have one sign
            same = float(differences[0])
            return same, same, 1.0 if same == 0 else 2.0 ** (1 - len(differences))
        test = stats.ttest_1samp(differences, 0.0)
        interval = test.confidence_interval(LEVEL)
        return float(interval.low), float(interval.high), float(test.pvalue)
    if not any(several):
        return math.nan, math.nan, math.nan
    if all(several):
        test = stats.ttest_ind(a, b, equal_var=False)
        interval = test.confidence_interval(LEVEL)
        return float(interval.low), float(interval.high), float(test.pvalue)
    if several[0]:
        test = stats.ttest_1samp(a, b[0])
        interval = test.confidence_interval(LEVEL)
        return float(interval.low - b[0]), float(interval.high - b[0]), float(test.pvalue)
    low, high, p = _t_interval(stats, b, a, paired)
    return -high, -low, p


def _verdict(difference: float, p: float) -> str:
    if math.isnan(p) or p >= 1 - LEVEL:
        return UNDECIDED
    return REPRODUCED if difference < 0 else NOT_REPRODUCED
