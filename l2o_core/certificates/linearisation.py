"""A rule as a linear one: poles, impulse and frequency response, and where it is stable on quadratics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from .. import arguments
from ..errors import ConfigError
from ..expressions.linear import ONE, LinearForm, combine
from ..expressions.system import UPDATE
from ..expressions.tensors import constant_value
from ..expressions.tree import Expression, Variable
from .recurrence import Recurrence, Rule, recurrence

LONG_AFTER = 1e300
"""The number of a step long after the start: corrections and warm-ups are over."""
WALK, DRAWS = 64, 16
"""Steps of random signs over which slopes are averaged, a power of 2, and draws of as many coordinates."""
DEFLATED = 1e-10
"""A direction that is so small against its origin is rounding."""
DECAYED = 1e-12
NEVER = 1e-7
"""An eigenvalue that is so close to the unit circle is on it, but for rounding."""


class LinearisationError(ConfigError):
    """No linear rule stands for a rule.

    Args:
        why: The reason, as a clause.
    """

    def __init__(self, why: str):
        super().__init__(f"no linear rule stands for it: {why}")
        self.why = why


@dataclass(frozen=True, eq=False)
class LinearRule:
    r"""A linear rule with constant coefficients, as small as it can be written.

    .. math::
        x_{t+1} = A x_t + B (g_t, \theta_t)^\top, \qquad u_t = C x_t + D (g_t, \theta_t)^\top

    Attributes:
        A: How the state carries on, `[n, n]`.
        B: What gradient and parameter add to it, `[n, 2]`.
        C: What the update reads of it, `[n]`.
        D: What the update reads of gradient and parameter directly, `[2]`.
        exact: Whether it is the rule itself, long after the start; else it has the rule's mean response.
        gradient: The magnitude of the gradients over which slopes were averaged, if it is not exact.

    Example:
        >>> heavy_ball = linearise("0.9 * u[1] - g")
        >>> heavy_ball.poles.round(6).tolist(), heavy_ball.impulse_response(3).round(6).tolist()
        ([(0.9+0j)], [-1.0, -0.9, -0.81])
    """

    A: np.ndarray
    B: np.ndarray
    C: np.ndarray
    D: np.ndarray
    exact: bool
    gradient: float

    @property
    def reads_parameter(self) -> bool:
        """Whether the update depends on the parameter itself."""
        return bool(self.B[:, 1].any() or self.D[1])

    @property
    def poles(self) -> np.ndarray:
        """Poles `[n]`, the slowest first; those at 0 are plain lags."""
        lasting = self.A
        while len(lasting):  # lags, whose poles eigvals would scatter around 0
            left, sizes, _ = np.linalg.svd(lasting)
            rank = int((sizes > 1e-9 * max(sizes[0], DECAYED)).sum())
            if rank == len(lasting):
                break
            lasting = left[:, :rank].T @ lasting @ left[:, :rank]
        poles = np.zeros(len(self.A), dtype=complex)
        poles[: len(lasting)] = np.linalg.eigvals(lasting)
        return poles[np.lexsort((-poles.imag, -poles.real, -np.abs(poles).round(9)))]

    def impulse_response(self, steps: int) -> np.ndarray:
        """The updates `[steps]` after a gradient of 1 and then none, the parameter being held at 0.

        Args:
            steps: How many; the first is that of the step at which the gradient arrives.

        Raises:
            ConfigError: If that is not a positive whole number.
        """
        steps = arguments.whole("steps", steps, 1)
        states, power = self.B[:, :1], self.A
        while states.shape[1] < steps - 1:  # x_k = A^(k-1) B, doubled each time
            states, power = np.hstack([states, power @ states]), power @ power
        return np.concatenate([self.D[:1], self.C @ states])[:steps]

    def frequency_response(self, frequencies: np.ndarray | Sequence[float]) -> np.ndarray:
        r"""The transfer function :math:`H(z) = C (z - A)^{-1} B + D` on the unit circle.

        Args:
            frequencies: In cycles per step, `[F]`; 0 is a constant gradient, 0.5 one that alternates.

        Returns:
            Complex gains `[F]`: the magnitude of the update for gradients of magnitude 1, and its phase; NaN
            at a pole, where the update grows for ever.
        """
        z = np.exp(2j * np.pi * np.asarray(frequencies, dtype=float))
        at_pole = (np.abs(z[..., None] - self.poles) < NEVER).any(-1)
        return np.where(at_pole, complex(np.nan, np.nan), self._transfer(z))

    def _transfer(self, z: np.ndarray) -> np.ndarray:
        """H at complex numbers `[F]`; NaN at a pole."""
        if not len(self.A):
            return np.full(z.shape, complex(self.D[0]))
        pencils = z[:, None, None] * np.eye(len(self.A)) - self.A
        try:
            return np.linalg.solve(pencils, self.B[:, :1].astype(complex))[..., 0] @ self.C + self.D[0]
        except np.linalg.LinAlgError:  # at least one is a pole
            if len(z) == 1:
                return np.full(1, complex(np.nan, np.nan))
            return np.concatenate([self._transfer(one) for one in z[:, None]])

    def temporal_perception_field(self, steps: int | None = None) -> float:
        r"""SymL2O Eq. 3 of the impulse response: :math:`\sum_k k |h_k| / \sum_k |h_k|`, in steps.

        Args:
            steps: So many values of the impulse response; by default all, to the last that counts.

        Returns:
            How many steps the rule looks back on average; infinity if the response does not fade.

        Example:
            >>> round(linearise("momentum").temporal_perception_field(), 6)
            9.0
        """
        if steps is None:
            slowest = float(max(np.abs(self.poles), default=0.0))
            if slowest > 1 - NEVER:
                return math.inf
            steps = len(self.A) + 1 + (math.ceil(math.log(DECAYED) / math.log(slowest)) if slowest else 0)
        weights = np.abs(self.impulse_response(steps))
        total = weights.sum()
        return float(np.arange(steps) @ weights / total) if total else 0.0

    def spectral_radius(self, lr: float, curvature: float) -> float:
        r"""By how much a distance grows per step, in the end, on :math:`f = c\, \theta^2 / 2`.

        Args:
            lr: Learning rate.
            curvature: The second derivative c.

        Returns:
            The magnitude of the largest eigenvalue of rule and parameter together; below 1 they converge.
        """
        inputs = np.array([curvature, 1.0])  # what the parameter makes of itself: gradient and parameter
        above = np.column_stack([self.A, self.B @ inputs])
        below = np.append(lr * self.C, 1 + lr * self.D @ inputs)
        return float(np.abs(np.linalg.eigvals(np.vstack([above, below]))).max())

    def stable_ranges(self) -> tuple[tuple[float, float], ...]:
        """Where the rule converges on quadratics: ranges of learning rate times curvature.

        At an edge, an eigenvalue of the closed loop lies on the unit circle, at z, which makes
        lr * curvature = (z - 1) / H(z) a real number. All such are found on a fine grid of frequencies.

        Returns:
            Lower and upper ends, all above 0; infinity if there is no upper one. None at all if the rule
            climbs.

        Raises:
            ConfigError: If the rule reads the parameter, so that learning rate and curvature do not count
                as a product alone; `spectral_radius` holds then too.

        Example:
            >>> [(low, round(high, 6)) for low, high in linearise("momentum").stable_ranges()]
            [(0.0, 3.8)]
        """
        if self.reads_parameter:
            raise ConfigError(
                "a rule that reads theta has no range of lr x curvature: ask spectral_radius(lr, curvature)"
            )
        edges = [0.0, *self._edges()]
        top = edges[-1] or 1.0
        between = [math.sqrt(low * high) if low else high / 2 for low, high in pairwise(edges)]
        ranges: list[tuple[float, float]] = []
        for low, high, at in zip(edges, [*edges[1:], math.inf], [*between, 2 * top], strict=True):
            if self.spectral_radius(1.0, at) < 1 - NEVER:
                joins = ranges and ranges[-1][1] == low
                ranges[-1:] = [(ranges[-1][0], high)] if joins else [*ranges[-1:], (low, high)]
        return tuple(ranges)

    def _edges(self) -> list[float]:
        """Products lr * curvature > 0 at which an eigenvalue of the closed loop is on the unit circle."""
        angles = np.unique(np.concatenate([np.geomspace(1e-5, np.pi, 1500), np.linspace(1e-3, np.pi, 2500)]))
        angles[-1] = np.pi

        def product(angle: np.ndarray) -> np.ndarray:
            z = np.where(angle == np.pi, -1, np.exp(1j * angle))
            with np.errstate(divide="ignore", invalid="ignore"):
                return (z - 1) / self._transfer(z)

        values = product(angles)
        low, high = angles[:-1], angles[1:]
        crossing = np.sign(values.imag[:-1]) * np.sign(values.imag[1:]) < 0
        low, high, side = low[crossing], high[crossing], np.sign(values.imag[:-1][crossing])
        for _ in range(60 if len(low) else 0):
            middle = (low + high) / 2
            left = np.sign(product(middle).imag) == side
            low, high = np.where(left, middle, low), np.where(left, high, middle)
        found = np.append(product(low).real if len(low) else [], values[-1].real)
        jump = 1e8 * max(1.0, float(np.nanmin(np.abs(values)))) if np.isfinite(values).any() else 1.0
        found = np.sort(found[np.isfinite(found) & (found > 0) & (found < jump)])
        return [float(x) for i, x in enumerate(found) if i == 0 or x > found[i - 1] * (1 + 1e-9)]


def linearise(rule: Rule, *, gradient: float = 1.0, **hyperparameters: float | bool) -> LinearRule:
    r"""The linear rule that responds to gradients as a rule does, long after the start.

    A rule that is linear in gradients, past values and the parameter is taken as it is. Any other is
    replaced by its mean response: the slopes of one step, averaged over gradients :math:`\pm g_0` of random
    sign, with all averages settled. Adam's second moment is then :math:`g_0^2`, and Adam is momentum with the
    learning rate :math:`(1 - \beta_1)\,\mathrm{lr} / g_0`. It describes small changes on top of gradients of
    that size, which are mostly noise.

    Args:
        rule: A name from the zoo, text, an `Expression` or a `System`.
        gradient: The magnitude :math:`g_0` of the gradients, in their units.
        **hyperparameters: Those of `optim.SymbolicOptimizer`, and coefficients. The decay of weights that the
            zoo gives a rule beside its equation is left out.

    Raises:
        LinearisationError: If it has jumps (sign), its states do not settle, or its steps end or change with
            the number of the step.
        ConfigError: If a coefficient has no value, a hyper-parameter makes no sense, or a weight decay is
            given that the rule does not name.

    Example:
        >>> linearise("adam", beta1=0.8).poles.round(6).tolist()
        [(0.8+0j)]
    """
    gradient = arguments.positive("gradient", gradient, "units of the gradient")
    whole = recurrence(rule, hyperparameters)
    if passing := [name for name in ("ld", "cd") if any(own == name for own, _ in whole.equations)]:
        raise LinearisationError(f"{passing[0]} changes with the number of the step")
    exact = is_linear(whole)
    if not exact and "sign" in whole.operators:
        raise LinearisationError("sign has jumps and no slope")
    A, B, C, D = _slopes(whole, gradient, exact)
    if not all(np.isfinite(part).all() for part in (A, B, C, D)):
        raise LinearisationError(f"slopes at gradients of {gradient:g} are not finite")
    A, B, C = _minimal(A, B, C)
    if not (np.abs(D).max() > 1e-200 or len(A)):
        raise LinearisationError("long after the start, no gradient moves it")
    return LinearRule(A, B, C, D, exact, gradient)


def is_linear(whole: Recurrence) -> bool:
    """Whether every equation is linear, without a constant, long after the start."""

    def variable(leaf: Variable) -> LinearForm | None:
        return {ONE: LONG_AFTER} if leaf.name == "t" else {Expression((leaf,)): 1.0}

    def operator(name: str, *forms: LinearForm | None) -> LinearForm | None:
        if any(form is None for form in forms):
            return None
        known = [form for form in forms if form is not None]
        if all(form.keys() <= {ONE} for form in known):
            value = constant_value(name, *(form.get(ONE, 0.0) for form in known))
            return {ONE: value} if math.isfinite(value) else None
        return combine(name, *known)

    forms = [value.fold(variable, lambda number: {ONE: number}, operator) for _, value in whole.equations]
    return all(form is not None and not form.get(ONE) for form in forms)


def _slopes(whole: Recurrence, gradient: float, exact: bool) -> tuple[np.ndarray, ...]:
    """A [S, S], B [S, 2], C [S] and D [2], averaged over random signs of the gradient."""
    if exact:  # the slopes are the same everywhere
        past = _start(whole)[:, None]
        return _jacobian(whole, past, past.new_zeros(1))[1]
    signs = gradient * _signs()
    past = _settled(whole, gradient)[:, None].expand(-1, signs.shape[1])
    for g in signs[:-1]:
        past = whole.step(past, g, LONG_AFTER)[1]
    return _jacobian(whole, past, signs[-1])[1]


def _signs() -> Tensor:
    """Random signs [WALK, P], each walk with its opposite: what is odd in the gradient averages to 0.

    So does the product of any two steps, which in as many free draws would be off by several percent, and
    with it the slopes of a rule that reads many lags. For the rows of a Hadamard matrix are orthogonal, in
    any order and with any signs; with random ones, all walks of a coordinate are as likely as each other.
    """
    chance = torch.Generator().manual_seed(0)
    rows = torch.ones(1, 1, dtype=torch.float64)
    while len(rows) < WALK:
        rows = torch.cat([torch.cat([rows, rows], dim=1), torch.cat([rows, -rows], dim=1)])
    draws = []
    for _ in range(DRAWS):
        turned = 2 * torch.randint(0, 2, (WALK, 1), generator=chance) - 1
        draws.append(turned * rows[torch.randperm(WALK, generator=chance)])
    signs = torch.cat(draws, dim=1)
    return torch.cat([signs, -signs], dim=1)


def _start(whole: Recurrence) -> Tensor:
    """Past values [S] to begin with: 0, but for past numbers of the step, which are those of long after."""
    known = [LONG_AFTER if name == "t" else 0.0 for name, _ in whole.slots]
    return torch.tensor(known, dtype=torch.float64)


def _jacobian(whole: Recurrence, past: Tensor, g: Tensor) -> tuple[Tensor, tuple[np.ndarray, ...]]:
    """The next past [S, P], and A, B, C, D averaged over coordinates."""
    past, g = past.clone().requires_grad_(), g.clone().requires_grad_()
    theta = torch.zeros_like(g).requires_grad_()
    values, new = whole.step(past, g, LONG_AFTER, theta)

    def row(value: Tensor) -> np.ndarray:
        if not value.requires_grad:
            return np.zeros(len(past) + 2)
        parts = torch.autograd.grad(value.sum(), (past, g, theta), retain_graph=True, allow_unused=True)
        means = [
            torch.zeros(like.shape[:-1], dtype=like.dtype) if part is None else part.mean(-1)
            for part, like in zip(parts, (past, g, theta), strict=True)
        ]
        return np.concatenate([means[0].numpy(), [means[1].item(), means[2].item()]])

    count = len(whole.slots)
    rows = np.array([row(value) for value in new]).reshape(count, count + 2)
    last = row(values[UPDATE])
    return new.detach(), (rows[:, :count], rows[:, count:], last[:count], last[count:])


def _settled(whole: Recurrence, gradient: float) -> Tensor:
    """The mean of the past values [S] under gradients of random sign: a fixed point, by Newton's method."""
    g = torch.tensor([gradient, -gradient], dtype=torch.float64)
    past = _start(whole)
    for _ in range(30):
        new, (A, *_) = _jacobian(whole, past[:, None].expand(-1, 2), g)
        change = new.mean(-1) - past
        if not change.isfinite().all() or not np.isfinite(A).all():
            break
        if (change.abs() <= 1e-10 * (past.abs() + gradient)).all():
            return past
        step = np.linalg.lstsq(np.eye(len(A)) - A, change.numpy(), rcond=1e-13)[0]
        past = past + torch.from_numpy(step)
    raise LinearisationError(f"for gradients of magnitude {gradient:g}, its states do not settle")


def _minimal(A: np.ndarray, B: np.ndarray, C: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same responses with as few states as possible: what is reached, and of that what is read."""
    reached = _span(A, B)
    A, B, C = reached.T @ A @ reached, reached.T @ B, C @ reached
    read = _span(A.T, C[:, None])
    return read.T @ A @ read, read.T @ B, C @ read


def _span(A: np.ndarray, start: np.ndarray) -> np.ndarray:
    """An orthonormal basis [n, r] of start, A start, A^2 start, ..."""
    basis = np.zeros((len(A), 0))
    waiting = list(start.T)
    while waiting and basis.shape[1] < len(A):
        vector = waiting.pop(0)
        size = float(np.linalg.norm(vector))
        for _ in range(2):
            vector = vector - basis @ (basis.T @ vector)
        if np.linalg.norm(vector) > DEFLATED * max(size, 1e-290):
            vector = vector / np.linalg.norm(vector)
            basis = np.column_stack([basis, vector])
            waiting.append(A @ vector)
    return basis
