"""Distillation of a recurrent optimizer into a recurrent rule.

A rule with a memory of its own needs no window of lags: a few inputs now, and what it kept. The search has
three sources. *One step ahead*, an engine finds equations that read features, the optimizer's past updates
`u[1]`, `u[2]` and running averages; *cells* (see `cells`) start with random constants. All constants are then
fitted in closed loop (see `closed_loop`), and the best rules are pruned. What counts is the closed loop on
rollouts that played no part in the fit.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch

from .. import arguments
from ..errors import ConfigError, DataError, optional_import
from ..expressions import Expression, System, const, linear, var
from ..expressions.system import UPDATE, rule_of
from ..storage import NO_CACHE, Cache, digest
from . import engines
from .cells import NAMES, complexity, fit_cells
from .closed_loop import LIMIT, ClosedLoop
from .front import Entry, ParetoFront, skeleton, starting_rules
from .polish import polish
from .problem import PARTS, split_groups
from .search import FRONT, distill
from .trajectories import Trajectories
from .trim import tidy, trim

Rule = Expression | System

SHORT, MIDDLE = 10, 30
"""A rule is fitted to so many first steps before it is fitted to all: errors that feed themselves grow."""
COORDINATES, TRIMMED = 250, 125
"""Coordinates that constants are fitted on, and those while a rule is trimmed; in the end all of them are."""
PRUNED = 2
"""The time that is left for pruning is spread over so many rules at a time."""
SHARES = {"ahead": 0.12, "cells": 0.38}
"""Of the time, for the search one step ahead and for the cells; the rest is for pruning."""
CELLS = (("plain", 1), ("gated", 1), ("plain", 2), ("plain", 3), ("gated", 2), ("gated", 3))
"""Kinds and numbers of cells, from short to long rules."""
TRIED = 2
"""So many of them are tried: the longest of those with at most twice the nodes that a rule may have."""
STAGES = ((25, 24, 100), (50, 12, 100), (100, 6, 120))
"""Of each stage of their fit the steps, the rules that enter it, and the updates of Adam."""


@dataclass(frozen=True)
class Memory:
    """What a rule may remember.

    Args:
        updates: So many past updates `u[k]` are offered to the engine.
        lags: Steps of each feature that are offered, the present one among them.
        averages: Decay rates of running averages of each feature that are offered; they are only where a fit
            begins.
        cells: The largest number of cells, 0 to 3.

    Raises:
        ConfigError: For numbers out of range.
    """

    updates: int = 2
    lags: int = 2
    averages: tuple[float, ...] = (0.5, 0.9)
    cells: int = 3

    def __post_init__(self) -> None:
        arguments.check_types(Memory, vars(self))
        if self.updates < 1 or self.lags < 1 or not 0 <= self.cells <= len(NAMES):
            raise ConfigError(
                f"a memory has updates and lags of at least 1 and 0 to {len(NAMES)} cells, "
                f"not {self.updates}, {self.lags}, {self.cells}"
            )
        if not all(0 < decay < 1 for decay in self.averages):
            raise ConfigError(f"decay rates of averages lie between 0 and 1, not {self.averages}")


@dataclass
class _Search:
    """The rollouts of a search by part, and the rules found so far with their constants fitted."""

    way: Trajectories
    seed: int
    split_seed: int
    max_complexity: int
    rules: list[Rule] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    stopped: bool = False
    failed: bool = False

    def __post_init__(self) -> None:
        if (rollouts := len(np.unique(self.way.groups))) < len(PARTS):
            raise DataError(
                f"the trajectories are of {rollouts} rollouts (groups); holding out whole rollouts takes "
                f"{len(PARTS)} or more: record more instances"
            )
        parts = split_groups(self.way.groups, self.split_seed)
        self.parts = {name: self.way.select(rows) for name, rows in parts.items()}
        self.rng = np.random.default_rng(self.seed)
        whole = self.parts["fit"]
        few = self.rng.permutation(whole.coordinates)[:COORDINATES]
        self.sample = whole.select(np.sort(few))
        self.select = ClosedLoop(self.parts["select"])
        self._losses: dict[Rule, float] = {}

    def loss(self, rule: Rule) -> float:
        """The loss of a rule where rules are chosen, computed once."""
        if rule not in self._losses:
            self._losses[rule] = self.select.loss(rule)
        return self._losses[rule]

    def fit(self, rule: Rule, horizon: int | None = None, steps: int = 30) -> Rule:
        """The rule with its constants fitted in closed loop to the first steps, then to `horizon`."""
        last = horizon or self.way.steps
        for first in (SHORT, MIDDLE):
            if first < last:
                rule = polish(rule, ClosedLoop(self.first_steps(first)), 8)
        return polish(rule, ClosedLoop(self.first_steps(horizon)), steps)

    def first_steps(self, horizon: int | None) -> Trajectories:
        """The rows of the fit, cut short; fewer coordinates do for few steps."""
        few = self.sample.coordinates if horizon is None else self.sample.coordinates // 2
        return self.sample.select(np.arange(max(few, 1)), horizon)


def distill_recurrent(
    way: Trajectories,
    memory: Memory = Memory(),
    *,
    engine: str | engines.Engine = "operon",
    max_complexity: int = 60,
    time_limit: float = 120.0,
    seed: int = 0,
    split_seed: int | None = None,
    start: Iterable[Rule | Entry | str] = (),
    cache: Cache = NO_CACHE,
    progress: bool = False,
) -> ParetoFront:
    """Find rules with a memory of their own that do, on their own, what an optimizer did.

    Rules that grow without bound, when they run five times as long, are left out, with a note. A search
    stopped by hand (Ctrl-C) returns what it has found.

    Args:
        way: Trajectories of the optimizer, see `record`; of three rollouts or more.
        memory: What rules may remember.
        engine: Finds equations one step ahead, see `distill`.
        max_complexity: Nodes of the largest rule.
        time_limit: Seconds, all included.
        seed: Seed of the search.
        split_seed: Seed of the choice of held-out rollouts; default `seed`.
        start: Rules, or their texts, or a front, to begin with.
        cache: Where fronts are stored.
        progress: Show a progress bar.

    Returns:
        The front. `loss` is the mean squared error in closed loop on rollouts that rules are chosen by, and
        `r2_select` its R2; on rollouts that played no part, `closed_loop` is the R2 in closed loop, and `r2`
        that one step ahead.

    Raises:
        DataError: For trajectories of too few rollouts, or updates that are all equal.
        ConfigError: For options that make no sense.
        EngineError: For an unknown engine, or one that is not installed, or if nothing is found.

    Example:
        >>> from l2o_core import models, tasks
        >>> from l2o_core.distiller import record
        >>> teacher = models.Equation("0.8 * u[1] - 0.01 * g")
        >>> way = record(teacher, tasks.load("p1"), steps=20, per_layer=4)
        >>> front = distill_recurrent(way, Memory(updates=1, lags=1, averages=(), cells=0), engine="linear")
        >>> print(front.best.equation)
        -0.01 * g + 0.8 * u[1]
    """
    begun = time.monotonic()
    chosen = engines.get(engine)
    time_limit = arguments.positive("time_limit", time_limit, "seconds")
    max_complexity = arguments.whole("max_complexity", max_complexity, 1)
    seed = arguments.seed("seed", seed)
    split_seed = seed if split_seed is None else arguments.seed("split_seed", split_seed)
    known = starting_rules(start)
    settings: dict[str, Any] = {
        "engine": repr(chosen),
        "max_complexity": max_complexity,
        "time_limit": time_limit,
        "seed": seed,
        "memory": asdict(memory) | {"averages": list(memory.averages)},
        "start": [*map(str, known)],
    }
    fingerprint = digest(
        [dict(way.features), way.updates, way.groups.tolist(), dict(way.options), way.bound, split_seed]
    )
    slot = cache.slot("fronts", {"data": fingerprint, "settings": settings}, FRONT)
    if cached := slot.load():
        return cached
    slot.check()
    search = _Search(way, seed, split_seed, max_complexity)
    stages = _stages(search, memory, chosen, known, begun, time_limit)
    stopped = _until_stopped(search, stages, begun, time_limit, progress)
    entries = measure(search)
    notes = (*search.notes, *([stopped] if stopped else []))
    seconds = time.monotonic() - begun
    front = ParetoFront.of(entries, f"{chosen.name}, closed loop", seconds, notes, fingerprint, settings)
    front = replace(front, stopped=bool(stopped), failed=search.failed)
    if not (front.stopped or front.failed):
        slot.save(front)
    return front


def _until_stopped(
    search: _Search, stages: Iterator[list[Rule]], begun: float, time_limit: float, progress: bool
) -> str | None:
    """Gather the rules of all stages; a note if that was stopped by hand."""
    with optional_import("distillation", extra="distill"):
        from tqdm.auto import tqdm

    form = "{desc}: {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} s{postfix}"
    with tqdm(total=time_limit, desc="closed loop", bar_format=form, disable=not progress) as bar:
        try:
            for rules in stages:
                search.rules += rules
                bar.set_postfix_str(f"{len(search.rules)} rules", refresh=False)
                bar.update(min(time.monotonic() - begun, time_limit) - bar.n)
        except KeyboardInterrupt:
            if not search.rules:
                raise
            return f"stopped by hand after {time.monotonic() - begun:.0f} s of {time_limit:.0f}"
    return None


def _stages(
    search: _Search,
    memory: Memory,
    engine: engines.Engine,
    known: Sequence[Rule],
    begun: float,
    time_limit: float,
) -> Iterator[list[Rule]]:
    """Rules, stage by stage: given ones, those found one step ahead, cells, and all that pruning leaves."""
    for updates in range(memory.updates + 1):
        if rule := _linear(search, updates):  # without past updates it cannot grow: never is nothing found
            yield [search.fit(rule, steps=15) if updates else rule]
    ahead = begun + SHARES["ahead"] * time_limit
    cells = ahead + SHARES["cells"] * time_limit * (memory.cells > 0)
    for rule in known:
        yield [search.fit(tidy(rule))]
    for rule in _one_step_ahead(search, memory, engine, 0.6 * SHARES["ahead"] * time_limit):
        if time.monotonic() > ahead and search.rules:
            break
        yield [search.fit(rule, steps=15)]
        if search.stopped:  # while the engine was at work: what it had found is fitted no further
            raise KeyboardInterrupt
    plans = [plan for plan in CELLS if plan[1] <= memory.cells]
    plans = [plan for plan in plans if complexity(search.way, *plan) <= 2 * search.max_complexity][-TRIED:]
    for turn, (kind, count) in enumerate(plans):
        now = time.monotonic()
        yield from _fitted_cells(search, kind, count, now + (cells - now) / (len(plans) - turn))
    yield from _pruned(search, begun + 0.86 * time_limit)
    yield from _refitted(search, begun + 0.93 * time_limit)


def _linear(search: _Search, updates: int) -> Rule | None:
    """Least squares one step ahead on all features and so many past updates, where that is short enough."""
    way = search.parts["fit"]
    columns = {var(name): values for name, values in way.features.items()}
    columns |= {var(UPDATE, k): _delayed(way.updates, k) for k in range(1, updates + 1)}
    table = torch.stack([values.flatten() for values in columns.values()], 1)
    weights = torch.linalg.lstsq(table, way.updates.flatten()[:, None], driver="gelsd").solution.flatten()
    rule = linear.expression(linear.nonzero(dict(zip(columns, weights.tolist(), strict=True))))
    return rule if rule.complexity <= search.max_complexity else None


def _delayed(values: torch.Tensor, lag: int) -> torch.Tensor:
    """Values `[T, N]` of so many steps before, 0 at the start."""
    return torch.cat([torch.zeros_like(values[:lag]), values[: len(values) - lag]])


def _one_step_ahead(search: _Search, memory: Memory, engine: engines.Engine, seconds: float) -> list[Rule]:
    """Rules from equations that an engine finds for the next update, from accurate to short."""
    both = Trajectories.concatenate([search.parts["fit"], search.parts["select"]])
    apart = len(np.unique(both.groups)) >= len(
        PARTS
    )  # else single rows are held out, for the engine's choice
    offers = [False, True] if memory.averages else [False]
    found: dict[Rule, Rule] = {}
    for averaged in offers:
        table, states = _columns(both, memory, averaged)
        rows = search.rng.permutation(len(both.updates.flatten()))[:5000]
        X = np.column_stack([column.flatten()[rows].numpy() for column in table.values()])
        y = both.updates.flatten()[rows].numpy()
        groups = np.broadcast_to(both.groups, both.updates.shape).flatten()[rows]
        front = distill(
            X,
            y,
            [*table],
            groups=groups if apart else None,
            engine=engine,
            max_complexity=min(search.max_complexity, 40),
            time_limit=max(seconds / len(offers), 1.0),
            seed=search.seed,
        )
        search.notes += [note for note in front.notes if note not in search.notes]
        search.stopped, search.failed = front.stopped, search.failed or front.failed
        for entry in front:
            rule = _with_states(entry.equation, states)
            if rule.complexity <= search.max_complexity:
                found[skeleton(rule)] = rule
        if search.stopped:
            break
    return sorted(found.values(), key=lambda rule: -rule.complexity)


def _columns(
    way: Trajectories, memory: Memory, averaged: bool
) -> tuple[dict[str, torch.Tensor], dict[str, Expression]]:
    """Columns `[T, N]` by name that an engine may use, and the recurrences of those that are averages."""
    lags = 1 if averaged else memory.lags
    columns = {f"{f}[{k}]": _delayed(x, k) for f, x in way.features.items() for k in range(lags)}
    columns |= {f"u[{k}]": _delayed(way.updates, k) for k in range(1, memory.updates + 1)}
    states: dict[str, Expression] = {}
    for name, values in way.features.items() if averaged else ():
        for decay in memory.averages:
            state, mean, means = f"p{len(states) + 1}", torch.zeros_like(values[0]), []
            for now in values:
                mean = decay * mean + (1 - decay) * now
                means.append(mean)
            columns[state] = torch.stack(means)
            states[state] = const(decay) * var(state, 1) + const(1 - decay) * var(name)
    return columns, states


def _with_states(equation: Rule, states: dict[str, Expression]) -> Rule:
    """The rule that computes the running averages it reads."""
    read = {variable.name for variable in equation.variables}
    used = tuple((name, value) for name, value in states.items() if name in read)
    assert isinstance(equation, Expression)
    now = {str(v): Expression((replace(v, lag=None),)) for v in equation.variables if v.lag == 0}
    equation = equation.substitute(now)
    return rule_of([*used, (UPDATE, equation)])


def _fitted_cells(search: _Search, kind: str, count: int, deadline: float) -> Iterator[list[Rule]]:
    """Rules of so many cells: random ones fitted by Adam, and the best of them by least squares."""
    seed = int(search.rng.integers(2**31))
    halfway = time.monotonic() + 0.7 * (deadline - time.monotonic())
    rules = fit_cells(
        search.sample, kind, count, stages=STAGES, seed=seed, proceed=lambda: time.monotonic() < halfway
    )
    for rule in rules:
        yield [rule]
        yield [polish(rule, ClosedLoop(search.sample), 20)]
        if time.monotonic() > deadline:
            break


def _pruned(search: _Search, deadline: float) -> Iterator[list[Rule]]:
    """Every rule on the way from the best one of each skeleton to nothing."""
    best: dict[Rule, Rule] = {}
    for rule in sorted(search.rules, key=search.loss):
        best.setdefault(skeleton(rule), rule)
    loop = ClosedLoop(search.sample.select(np.arange(min(TRIMMED, search.sample.coordinates))))
    for turn, rule in enumerate(best.values()):
        now = time.monotonic()
        if now > deadline:
            break
        for smaller in trim(tidy(rule), loop, now + (deadline - now) / min(len(best) - turn, PRUNED)):
            yield [smaller]


def _refitted(search: _Search, deadline: float) -> Iterator[list[Rule]]:
    """The rules on the front, fitted to all coordinates of the fit in place of a sample."""
    loop = ClosedLoop(search.parts["fit"])
    for entry in reversed([*_front(search)]):
        if time.monotonic() > deadline:
            break
        yield [polish(entry.equation, loop, 5)]


def _front(search: _Search) -> ParetoFront:
    """The rules found so far that are neither too large nor beaten, by their loss where rules are chosen."""
    best: dict[Rule, Entry] = {}
    for rule in search.rules:
        if rule.complexity <= search.max_complexity:
            loss = search.loss(rule)
            known = best.get(skeleton(rule))
            if math.isfinite(loss) and (known is None or loss < known.loss):
                best[skeleton(rule)] = Entry(rule, loss, math.nan)
    return ParetoFront.of(best.values(), "the search", 0.0)


def measure(search: _Search) -> list[Entry]:
    """Entries of a front for the rules of a search, constants rounded; those that grow are left out."""
    loop, ahead = ClosedLoop(search.parts["test"]), ClosedLoop(search.parts["test"], forced=True)
    growing: set[Rule] = set()
    while found := {entry.equation for entry in _front(search) if grows(entry.equation, search.sample)}:
        search.rules = [rule for rule in search.rules if rule not in found]
        growing |= found
    if growing:
        search.notes.append(f"left out {len(growing)} rules that grow without bound when they run longer")
    entries = []
    for entry in _front(search):
        rule = _rounded(entry.equation, search.select)
        fits = {"r2": ahead.r2(rule), "r2_select": search.select.r2(rule), "closed_loop": loop.r2(rule)}
        entries.append(Entry(rule, search.select.unit**2 * search.select.loss(rule), **fits))
    return entries


def grows(rule: Rule, way: Trajectories, times: int = 5) -> bool:
    """Whether a rule's updates leave all bounds when the recorded steps come so many times in a row."""
    few = np.arange(min(way.coordinates, 50))
    long = way.select(few)
    features = {name: values.repeat(times, 1) for name, values in long.features.items()}
    longer = Trajectories(features, long.updates.repeat(times, 1), long.groups)
    largest = ClosedLoop(longer).predict(rule).abs().max()
    return bool(largest >= LIMIT * long.updates.abs().max())


def _rounded(rule: Rule, loop: ClosedLoop) -> Rule:
    """The rule with the fewest digits that raise its loss by at most 0.1 %."""
    allowed = 1.001 * loop.loss(rule) + 1e-12
    for digits in range(1, 10):
        if loop.loss(shorter := tidy(rule.rounded(digits))) <= allowed:
            return shorter
    return rule
