"""The search: rules with a memory that lead to low losses, on one task or several."""

from __future__ import annotations

import contextlib
import itertools
import math
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ..arguments import check_types, positive, whole
from ..arguments import seed as checked_seed
from ..distiller import Entry, ParetoFront
from ..distiller.front import skeleton, starting_rules
from ..errors import ConfigError, L2OError, optional_import
from ..expressions import Expression, System, parse_rule
from ..meta.given import several_tasks
from ..meta.reference import DIVERGED
from ..meta.simplex import from_logarithm, minimise, to_logarithm
from ..storage import digest
from ..tasks.base import Task
from .arena import Arena
from .grammar import Grammar, Rule, explicit
from .starts import RATES, directions, scaled

REFERENCE = "p = 0.9 * p[1] + 0.1 * g; q = 0.999 * q[1] + 0.001 * g^2; " + (
    "-0.01 * (p / (1 - 0.9^t)) / (sqrt(q / (1 - 0.999^t)) + 1e-8)"
)
"""Adam at a learning rate of 0.01, with which losses are compared."""
KEPT = 60
"""Forms that are bred from."""
LENGTH = 0.002
"""What a node must gain for a rule to be preferred to a shorter one, as a logarithm of the loss."""
BRED, CHOICE = 0.62, 0.25
"""Fractions of the time: when breeding ends, and what is left at most for the choice."""
FEW = 5
"""The best rules of any length that are also tuned, and judged on the choice."""
TRIALS, ROUNDS = 60, 3
"""Points that the constants of a rule are tuned with in a round, and rounds, if time allows them."""


def discover(
    tasks: Task | Sequence[Task],
    *,
    choice: Task | Sequence[Task] | None = None,
    start: Iterable[str | Expression | System | Entry] | str = (),
    max_complexity: int = 30,
    time_limit: float = 240.0,
    candidates: int | None = None,
    steps: int = 100,
    instances: int = 2,
    choice_instances: int = 6,
    seed: int = 0,
    progress: bool = False,
) -> ParetoFront:
    """Search small rules with a memory that optimize tasks well.

    The search begins with the rules of the zoo, with forms of distilled rules, and with those given. Parents
    are changed by the mutations of `Grammar`; their children run side by side on the same instances, most
    of them only a part of the way; what comes to the end and is good joins the parents. In the last third
    of the time the constants of the best are tuned. A rule's worth is its mean and end loss as a fraction
    of those of Adam with a learning rate of 0.01, as a geometric mean over the two and over tasks. What a
    search brings up depends on the time it has; with `candidates` in place of time, `seed` decides.

    Ctrl-C ends the search early: the front has what was found by then, if anything, and says so in its notes.

    Args:
        tasks: The optimizees, one or several at once.
        choice: The same on other data, on which the front is chosen, such as those of the part "choose";
            None: other instances of `tasks`.
        start: Rules, or their texts, or a front, to begin with, beside the zoo.
        max_complexity: Largest number of nodes.
        time_limit: Seconds.
        candidates: Rules that are tried before the constants are tuned; None: as many as there is time for.
        steps: Optimizee steps of a run.
        instances: Instances of each task in the search.
        choice_instances: Instances of each task for the choice.
        seed: Of mutations and instances.
        progress: Show a progress bar.

    Returns:
        The rules that no shorter one beats. An entry's `loss` is its worth on `choice`, where Adam at 0.01
        has 1; `r2` is NaN, as nothing is fitted. Fronts that were judged on the same instances of the same
        tasks have the same `data`, and can be merged.

    Raises:
        ConfigError: For no task, a number below 1, a negative seed, a start that is no rule, or too few nodes
            for any rule to begin with.

    Example:
        >>> from l2o_core import tasks
        >>> front = discover(tasks.load("p1"), candidates=60, steps=10, max_complexity=12, seed=1)
        >>> front.best.complexity <= 12, front.best.loss < 1
        (True, True)
    """
    check_types(discover, locals() | {"tasks": (), "choice": None, "start": (), "seed": 0})
    steps, instances = whole("steps", steps, 1), whole("instances", instances, 1)
    choice_instances = whole("choice_instances", choice_instances, 1)
    max_complexity = whole("max_complexity", max_complexity, 1)
    candidates = None if candidates is None else whole("candidates", candidates, 1)
    time_limit, seed = positive("time_limit", time_limit, "seconds"), checked_seed("seed", seed)
    several = several_tasks(tasks, "to search rules for")
    others = several if choice is None else several_tasks(choice, "to choose rules on")
    known = starting_rules(start)

    began = time.monotonic()
    grammar, reference = Grammar(max_complexity), parse_rule(REFERENCE)
    arena = Arena(several, reference, steps=steps, instances=instances, seed=seed)
    limit = time_limit if candidates is None else math.inf
    search = _Search(arena, grammar, random.Random(seed), began + BRED * limit)
    given = [grammar.tidy(explicit(rule).equations) for rule in known]
    unfit = sum(rule is None for rule in given)
    notes = [f"{unfit} of the given rules do not fit the grammar and were left out"] if unfit else []
    try:
        with _watched(search, time_limit, progress):
            search.begin([rule for rule in given if rule is not None], directions(grammar))
            search.breed(candidates)
            left = arena.seconds((len(search.front()) + FEW) * choice_instances)
            search.deadline = began + limit - min(left, CHOICE * time_limit)
            search.shorten()
            search.tune()
    except KeyboardInterrupt:
        if not search.found:
            raise
        notes.append(f"stopped by hand after {time.monotonic() - began:.0f} s")
    found = search.front()
    final = Arena(others, reference, steps=steps, instances=choice_instances, seed=seed + 1)
    worth = final.worth(found)
    entries = [Entry(rule, math.exp(value), math.nan) for rule, value in zip(found, worth, strict=True)]
    if min(worth) >= DIVERGED / 2:
        notes.append("every rule diverges on instances that the search has not seen: take more instances")
    settings: dict[str, Any] = {
        "tasks": [task.name for task in several],
        "reference": REFERENCE,
        "candidates": search.tried,
        **{"steps": steps, "instances": instances, "seed": seed, "max_complexity": max_complexity},
    }
    seconds = time.monotonic() - began
    return ParetoFront.of(entries, "discovery", seconds, tuple(notes), _fingerprint(final), settings)


def _fingerprint(arena: Arena) -> str:
    """All that the worth of rules in an arena can be compared by: the same for the same runs only."""
    told = {"tasks": [task.identity for task in arena.tasks], "reference": REFERENCE}
    return digest(told | {"steps": arena.steps, "instances": arena.instances, "seed": arena.seed})


class _Search:
    """The rules so far, the best constants of each form, and how they become more."""

    def __init__(self, arena: Arena, grammar: Grammar, draw: random.Random, deadline: float):
        self.arena, self.grammar, self.draw, self.deadline = arena, grammar, draw, deadline
        self.found: dict[Rule, tuple[float, Rule]] = {}
        """By form: worth and rule."""
        self.tried = 0
        self.tell: Callable[[], None] = lambda: None
        """Called after each batch of rules."""
        self._seen: set[Rule] = set()

    @property
    def best(self) -> float:
        """The lowest worth so far."""
        return min((worth for worth, _ in self.found.values()), default=math.inf)

    def begin(self, given: Sequence[Rule], directions: Sequence[Rule]) -> None:
        """Every direction runs a short way at many learning rates, and all the way at the best of them."""
        forms = [[rule, *(scaled(rule, factor) for factor in (0.1, 0.3, 3.0, 10.0))] for rule in given]
        forms += [[scaled(rule, rate) for rate in RATES] for rule in directions]
        forms = [[rule for rule in map(self._tidy, rules) if rule is not None] for rules in forms]
        flat = [rule for rules in forms for rule in rules]
        if not flat:
            most = self.grammar.max_complexity
            raise ConfigError(f"no rule of {most} nodes to begin with: raise max_complexity, or give some")
        short = dict(zip(flat, self.arena.worth(flat, self.arena.rungs[0]), strict=True))
        chosen = [min(rules, key=lambda rule: short[rule]) for rules in forms if rules]
        for part in _batches(sorted(chosen, key=lambda rule: short[rule]), self.arena.at_once):
            if self.found and not self._has_time_for(len(part)):
                break
            self._add(zip(part, self.arena.worth(part), strict=True))
        self.tried += len(flat)

    def breed(self, candidates: int | None) -> None:
        """Children of the best rules run side by side, until there were enough, or time is up."""
        size = self.arena.at_once
        while self.tried < candidates if candidates is not None else self._has_time_for(size / 2):
            parents = self._parents()
            children: list[Rule] = []
            for _ in range(20 * size):
                child = self._child(parents)
                if child is not None and child not in self._seen:
                    self._seen.add(child)
                    children.append(child)
                if len(children) == size:
                    break
            self.tried += max(1, len(children))
            if children:
                self._add(self.arena.race(children))

    def shorten(self) -> None:
        """Take out of the best rules what they do as well without."""
        for _ in range(FEW):
            best = sorted(self.found.values(), key=lambda pair: pair[0])[:FEW]
            fewer = {short for _, rule in best for short in self.grammar.shorter(rule)} - self._seen
            if not fewer or not self._has_time_for(len(fewer) / 2):
                return
            self._seen |= fewer
            for part in _batches(sorted(fewer, key=str), self.arena.at_once):
                self._add(self.arena.race(part))
            self.tried += len(fewer)

    def tune(self) -> None:
        """Tune the constants of the best rules, the very best first, as far as time allows."""
        best = sorted(self.found.items(), key=lambda item: item[1][0] + LENGTH * item[0].complexity)
        front = {skeleton(rule) for rule in self.front()}
        chosen = [rule for key, (_, rule) in best if key in front][: 2 * FEW]
        for round_, rule in itertools.product(range(ROUNDS), chosen):
            if not self._has_time_for(1) or (math.isinf(self.deadline) and round_):
                return
            self._tune(self.found[skeleton(rule)][1], seed=round_)

    def front(self) -> list[Rule]:
        """The rules that no shorter one beats in the search, and the best few of any length."""
        ordered = sorted(self.found.values(), key=lambda pair: (pair[1].complexity, pair[0]))
        front, lowest = [], math.inf
        for worth, rule in ordered:
            if worth < lowest:
                front.append(rule)
                lowest = worth
        best = sorted(self.found.values(), key=lambda pair: pair[0])[:FEW]
        return list(dict.fromkeys([*front, *(rule for _, rule in best)]))

    def _has_time_for(self, runs: float) -> bool:
        """Whether runs of so many rules end before the deadline."""
        return time.monotonic() + self.arena.seconds(math.ceil(runs * self.arena.instances)) < self.deadline

    def _child(self, parents: Sequence[tuple[float, Rule]]) -> Rule | None:
        drawn = (self.draw.sample(parents, min(4, len(parents))) for _ in range(2))
        parent, other = (min(few, key=lambda pair: pair[0])[1] for few in drawn)
        return self.grammar.mutate(parent, self.draw, other)

    def _parents(self) -> list[tuple[float, Rule]]:
        """The best forms and what they are worth, less a little for every node: lower is better."""
        pairs = [(worth + LENGTH * rule.complexity, rule) for worth, rule in self.found.values()]
        return sorted(pairs, key=lambda pair: pair[0])[:KEPT]

    def _tune(self, rule: Rule, seed: int) -> None:
        numbers = rule.constants
        free = [i for i, number in enumerate(numbers) if number]

        def at(point: np.ndarray) -> Rule:
            values = list(numbers)
            for i, logarithm in zip(free, point, strict=True):
                values[i] = float(f"{from_logarithm(float(logarithm), like=numbers[i]):.6g}")
            return rule.with_constants(values)

        def objective(points: list[np.ndarray]) -> list[float]:
            if not self._has_time_for(len(points)):
                raise _TimeIsUpError
            rules = [at(point) for point in points]
            worth = self.arena.worth(rules)
            self._add(zip(rules, worth, strict=True))
            return worth

        start = np.array([to_logarithm(numbers[i]) for i in free])
        with contextlib.suppress(_TimeIsUpError):
            minimise(objective, start, trials=TRIALS, spread=0.3, seed=seed)

    def _tidy(self, rule: Rule) -> Rule | None:
        return self.grammar.tidy(rule.equations)

    def _add(self, pairs: Iterable[tuple[Rule, float]]) -> None:
        for rule, worth in pairs:
            key = skeleton(rule)
            if worth < self.found.get(key, (math.inf, rule))[0]:
                self.found[key] = (worth, rule)
        self.tell()


class _TimeIsUpError(L2OError):
    """The time of a search is spent."""


def _batches(rules: Sequence[Rule], size: int) -> Iterator[list[Rule]]:
    return (list(rules[first : first + size]) for first in range(0, len(rules), size))


@contextlib.contextmanager
def _watched(search: _Search, seconds: float, progress: bool) -> Iterator[None]:
    """A bar of the time, with the number of rules tried and the best one's worth."""
    if not progress:
        yield
        return
    with optional_import("a progress bar", extra="distill"):
        from tqdm.auto import tqdm

    began = time.monotonic()
    with tqdm(total=round(seconds), unit="s", bar_format="{l_bar}{bar}| {n}/{total} s{postfix}") as bar:

        def tell() -> None:
            bar.n = min(round(time.monotonic() - began), bar.total)
            bar.set_postfix_str(f"{search.tried} rules, best {math.exp(search.best):.3f} of Adam's loss")

        search.tell = tell
        yield
