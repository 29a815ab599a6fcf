"""The largest step that gradients can bring a rule to take: what was found, and what can be proven."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from torch import Tensor

from ..expressions import Expression, Variable
from ..expressions.system import PARAMETER
from . import intervals
from .intervals import EVERYTHING, Interval
from .recurrence import Recurrence, Rule, recurrence

STEPS = 120
SILENCE = 5000
"""Steps without a gradient before a late sequence, of rules that change meanwhile."""
LATE, AT_REST = 1e6, 10
"""The step at which it begins for rules at rest, whose states stayed the same for so many steps."""
SCALES = (1e-4, 1.0, 1e4, 1e8, 1e12)
RATIOS = tuple(np.geomspace(0.5, 2, 41).tolist())
"""Of successive magnitudes; 1 is among them."""
SIGNS = {"constant": (1,), "alternating": (1, -1), "in pairs": (1, 1, -1, -1)}
EARLY, RUNAWAY = 4, 1e6
"""By how much updates under gradients of one magnitude exceed the first ones where a memory is unstable."""
PATIENCE, ROUNDS, NARROWING = 50, 3000, 200
HASTE, SLACK = 64.0, 1e-6
"""By what the growth of an interval is overdone after `PATIENCE` rounds, and always, to come to an end."""


@dataclass(frozen=True, eq=False)
class LargestStep:
    """The largest step of a rule from a parameter of 0, as a multiple of the learning rate.

    Attributes:
        found: The largest among many sequences of gradients; infinity where it grows without bound.
        gradients: The sequence `[T]` that brings it about.
        late: Whether a long time without a gradient comes before it.
        runs_away: Whether it grows without end under gradients of one magnitude, as an unstable memory does.
        bound: What no finite gradients exceed, by interval arithmetic; infinity where none was proven.
    """

    found: float
    gradients: np.ndarray
    late: bool
    runs_away: bool
    bound: float

    def __str__(self) -> str:
        if self.runs_away:
            return "grows from step to step: its memory is unstable"
        if self.found == math.inf:
            return "grows with the gradient"
        if self.bound <= 1.001 * self.found:
            return f"{self.bound:.4g} x lr, whatever the gradients"
        most = f"at most {self.bound:.4g} x lr" if math.isfinite(self.bound) else "no bound was proven"
        return f"at least {self.found:.4g} x lr; {most}"


def largest_step(rule: Rule, **hyperparameters: float | bool) -> LargestStep:
    r"""The largest step that gradients can bring about.

    What is found is the largest update among geometric sequences of gradients, rising and falling, of
    constant and changing signs, at scales from 1e-4 to 1e12, from the rule's start and after a long time
    without a gradient. They contain the worst case of a ratio of running averages: for Adam, by the
    inequality of Cauchy and Schwarz, gradients that grow by :math:`\beta_2 / \beta_1` at each step. What is
    proven holds for all gradients, and may lie far above, since interval arithmetic forgets what two states
    have in common.

    Args:
        rule: A name from the zoo, text, an `Expression` or a `System`.
        **hyperparameters: Those of `optim.SymbolicOptimizer`, and coefficients.

    Raises:
        ConfigError: If a coefficient has no value, a hyper-parameter makes no sense, or a weight decay is
            given that the rule does not name.

    Example:
        >>> print(largest_step("lion"))
        1 x lr, whatever the gradients
        >>> print(largest_step("-g"))
        grows with the gradient
    """
    whole = recurrence(rule, hyperparameters)
    gradients = _sequences()
    even = gradients[0].abs() == gradients[-1].abs()
    best, best_late, at, rises, runs_away = -1.0, False, 0, False, False
    for late in (False, True):
        first, following = _updates(
            whole, gradients, *(_after_silence(whole) if late else _at_the_start(whole))
        )
        found = torch.maximum(first, following)
        rises |= _rises(found.view(len(SCALES), -1).amax(1))
        runs_away |= bool((following > RUNAWAY * first)[even].any())
        largest = int(found.argmax())
        if found[largest] > best:
            best, best_late, at = float(found[largest]), late, largest
    proven = bound(whole)
    if math.isfinite(proven):
        rises = runs_away = False
    found_at = gradients[:, at].numpy()
    return LargestStep(math.inf if rises or runs_away else best, found_at, best_late, runs_away, proven)


def _rises(by_scale: Tensor) -> bool:
    """Whether the largest update rises with the scale of the gradients, and no slower at the largest scales.

    Where each scale adds less than the one before, as where momentum sums equal steps, it ends somewhere.
    """
    before, last = by_scale[-3:].diff().tolist()
    return not by_scale.isfinite().all() or last > max(0.95 * before, 0.01 * float(by_scale[-1]))


def _sequences() -> Tensor:
    """Gradients `[T, P]`, all of a scale beside each other, the largest of each sequence at that scale."""
    t = torch.arange(STEPS, dtype=torch.float64)
    columns = []
    for scale, ratio, signs in product(SCALES, RATIOS, SIGNS.values()):
        magnitude = ratio ** (t - (STEPS - 1 if ratio > 1 else 0))
        sign = torch.tensor(signs, dtype=torch.float64).repeat(STEPS // len(signs))
        columns.append(scale * magnitude * sign)
    return torch.stack(columns, dim=1)


def _at_the_start(whole: Recurrence) -> tuple[float, Tensor]:
    """The number of the first step, and the past `[S, 1]`."""
    return 1.0, torch.zeros(len(whole.slots), 1, dtype=torch.float64)


def _after_silence(whole: Recurrence) -> tuple[float, Tensor]:
    """The same after many steps without a gradient."""
    t, past = _at_the_start(whole)
    unchanged = 0
    while t <= SILENCE and unchanged < AT_REST:
        before = past
        _, past = whole.step(past, torch.zeros(1, dtype=torch.float64), t)
        unchanged = unchanged + 1 if torch.equal(past, before) else 0
        t += 1
    return (LATE if unchanged == AT_REST else t), past


def _updates(whole: Recurrence, gradients: Tensor, start: float, past: Tensor) -> tuple[Tensor, Tensor]:
    """The largest |update| `[P]` of each sequence `[T, P]`, among the first ones and among those that follow.

    Infinity where one is not finite.
    """
    past = past.expand(-1, gradients.shape[1])
    updates = []
    for t, g in enumerate(gradients):
        values, past = whole.step(past, g, start + t)
        updates.append(values["u"].abs().nan_to_num(math.inf, posinf=math.inf))
    return torch.stack(updates[:EARLY]).amax(0), torch.stack(updates[EARLY:]).amax(0)


def bound(whole: Recurrence) -> float:
    """What |update| cannot exceed at a parameter of 0, whatever the gradients; infinity where none is proven.

    States begin at 0. Their intervals grow until a step maps them into themselves, which proves them. Further
    steps narrow them.
    """
    start: dict[tuple[str, int], Interval] = dict.fromkeys(whole.slots, (0.0, 0.0))
    past = start
    for done in range(ROUNDS):
        haste = SLACK + (HASTE if done >= PATIENCE else 1.0)
        wider = {slot: _widened(past[slot], now, haste) for slot, now in _step(whole, past)[0].items()}
        if wider == past:
            break
        past = wider
    else:
        past = dict.fromkeys(whole.slots, EVERYTHING)
    for _ in range(NARROWING):
        narrower = {slot: intervals.hull(start[slot], now) for slot, now in _step(whole, past)[0].items()}
        if narrower == past:
            break
        past = narrower
    low, high = _step(whole, past)[1]
    return max(-low, high)


def _widened(before: Interval, now: Interval, haste: float) -> Interval:
    """An interval that holds both, grown by more than it has to be; the same where it holds them already."""
    ends = zip(before, intervals.hull(before, now), strict=True)
    low, high = (old if old == new else old + haste * (new - old) for old, new in ends)
    return low, high


def _step(
    whole: Recurrence, past: dict[tuple[str, int], Interval]
) -> tuple[dict[tuple[str, int], Interval], Interval]:
    """Where the past of the next step lies, and the update."""
    now: dict[str, Interval] = {"g": EVERYTHING, "t": (1.0, math.inf), PARAMETER: (0.0, 0.0)}

    def read(variable: Variable) -> Interval:
        at = (variable.name, variable.steps_ago)
        return past[at] if variable.steps_ago else now[variable.name]

    def evaluate(value: Expression) -> Interval:
        return value.fold(read, lambda c: (c, c), intervals.apply)

    for name, value in whole.equations:
        now[name] = evaluate(value)
    following = {(name, lag): now[name] if lag == 1 else past[name, lag - 1] for name, lag in whole.slots}
    return following, now["u"]
