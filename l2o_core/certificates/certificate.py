"""What can be said of a rule before it runs, as a short text and as a small figure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ConfigError, optional_import
from .largest_step import LargestStep, largest_step
from .linearisation import NEVER, LinearisationError, LinearRule, linearise
from .recurrence import Rule, decay_beside

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN = 40
"""Steps of the impulse response that a figure shows."""
ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Certificate:
    """What a rule does to small signals, where it is stable, how far it goes; made by `certificate`.

    Attributes:
        largest: The largest step that gradients can bring about.
        linear: The linear rule, or None where none stands for it.
        reason: Why there is none; else empty.
        poles: Poles `[n]`, the slowest first.
        slowest: Steps in which the slowest part of its memory fades to 1/e; infinity if it never does.
        tpf: Temporal perception field of the impulse response (SymL2O Eq. 3), in steps.
        gain: The update for each unit of a gradient that stays the same; NaN where it grows for ever.
        ringing: The update's magnitude for each unit of a gradient that changes sign at every step; so too.
        stable: Ranges of learning rate times curvature in which it converges on quadratics; None for a rule
            that reads the parameter, for which they are no product.
        decay: The weight decay that the zoo gives the rule beside its equation, and that is left out here.
    """

    largest: LargestStep
    linear: LinearRule | None
    reason: str = ""
    poles: tuple[complex, ...] = ()
    slowest: float = math.nan
    tpf: float = math.nan
    gain: float = math.nan
    ringing: float = math.nan
    stable: tuple[tuple[float, float], ...] | None = None
    decay: float = 0.0

    def __str__(self) -> str:
        return "\n".join(f"{label + ':':<22}{text}" for label, text in self.lines().items())

    def lines(self) -> dict[str, str]:
        """What there is to say, by label."""
        return self._response() | {"largest step": str(self.largest)} | self._left_out()

    def _left_out(self) -> dict[str, str]:
        if not self.decay:
            return {}
        return {"left out": f"a weight decay of {self.decay:g}, which the rule does not name"}

    def _response(self) -> dict[str, str]:
        """What the rule does to small signals, by label."""
        if self.linear is None:
            return {"no linear response": self.reason}
        if self.linear.exact:
            kind = "the rule itself is linear, long after its start"
        else:
            kind = f"its mean response to noise of magnitude {self.linear.gradient:g}"
        shown = ", ".join(map(_number, self.poles[:6])) + (", …" if len(self.poles) > 6 else "")
        lines = {"holds for": kind, "poles": shown or "none"}
        lines["memory"] = (
            f"{self.tpf:.3g} steps on average (TPF); the slowest part fades in {self.slowest:.3g}"
        )
        lines["constant gradient"] = _update(self.gain)
        lines["alternating gradient"] = _update(self.ringing, ", in magnitude")
        if self.stable is None:
            lines["stable"] = "depends on learning rate and curvature one by one, since it reads theta"
        else:
            ranges = (f"{low:.4g} < lr x curvature < {high:.4g}" for low, high in self.stable)
            lines["stable"] = " or ".join(ranges) or "nowhere: it climbs"
        return lines

    def plot(self, axes: tuple[Axes, Axes, Axes, Axes] | None = None) -> tuple[Axes, Axes, Axes, Axes]:
        """Poles, impulse response, frequency response, and convergence on quadratics, in four panels.

        In the last, a distance shrinks where the curve is below 1; the range that is stable is shaded.

        Args:
            axes: Where to draw; by default a new figure.

        Raises:
            ConfigError: If no linear rule stands for it.
        """
        if self.linear is None:
            raise ConfigError(f"there is nothing to draw: {self.reason}")
        if axes is None:
            with optional_import("a certificate's plot", extra="distill"):
                import matplotlib.pyplot as plt

            axes = tuple(plt.figure(figsize=(10, 2.6), layout="constrained").subplots(1, 4))
        plane, time, frequency, quadratic = axes
        circle = np.exp(1j * np.linspace(0, 2 * np.pi, 200))
        plane.plot(circle.real, circle.imag, linewidth=0.8, color="0.5")
        poles = np.array(self.poles, dtype=complex)
        plane.plot(poles.real, poles.imag, "x", linestyle="none")
        plane.set(xlabel="real part", ylabel="imaginary part", title="poles", aspect="equal")
        time.plot(self.linear.impulse_response(SHOWN), marker=".", linewidth=0.8)
        time.set(xlabel="steps after a gradient of 1", ylabel="update", title="impulse response")
        at = np.linspace(0, 0.5, 300)
        frequency.plot(at, np.abs(self.linear.frequency_response(at)))
        frequency.set(xlabel="cycles per step", ylabel="gain", title="frequency response")
        self._plot_convergence(quadratic)
        return axes

    def _plot_convergence(self, ax: Axes) -> None:
        """By how much the distance changes per step, against learning rate times curvature."""
        assert self.linear is not None
        highest = max((high for _, high in self.stable or () if math.isfinite(high)), default=10.0)
        products = np.geomspace(1e-3 * highest, 2 * highest, 300)
        ax.plot(products, [self.linear.spectral_radius(1.0, product) for product in products])
        ax.axhline(1, linewidth=0.8, color="0.5", linestyle="--")
        for low, high in self.stable or ():
            ax.axvspan(max(low, products[0]), min(high, products[-1]), alpha=0.12)
        ax.set(xscale="log", xlabel="learning rate x curvature", ylabel="growth per step", ylim=(0, 1.6))
        ax.set_title(
            "on a quadratic (shaded: stable)" if self.stable is not None else "on a quadratic, lr = 1"
        )


def certificate(rule: Rule, *, gradient: float = 1.0, **hyperparameters: float | bool) -> Certificate:
    """What can be said of a rule that could not be said of a network.

    Args:
        rule: A name from the zoo, text, an `Expression` or a `System`.
        gradient: The magnitude of the gradients about which a nonlinear rule is linearised, see `linearise`.
        **hyperparameters: Those of `optim.SymbolicOptimizer`, and coefficients.

    Raises:
        ConfigError: If a coefficient has no value, a hyper-parameter makes no sense, or a weight decay is
            given that the rule does not name.

    Example:
        >>> print(certificate("momentum"))
        holds for:            the rule itself is linear, long after its start
        poles:                0.9
        memory:               9 steps on average (TPF); the slowest part fades in 9.49
        constant gradient:    update of -10 per unit
        alternating gradient: update of 0.5263 per unit, in magnitude
        stable:               0 < lr x curvature < 3.8
        largest step:         grows with the gradient
    """
    largest, decay = largest_step(rule, **hyperparameters), decay_beside(rule, hyperparameters)
    try:
        linear = linearise(rule, gradient=gradient, **hyperparameters)
    except LinearisationError as error:
        return Certificate(largest, None, error.why, decay=decay)
    radius = float(np.abs(linear.poles).max(initial=0.0))
    slowest = math.inf if radius > 1 - NEVER else -1 / math.log(radius) if radius > ROUNDING else 0.0
    gains = linear.frequency_response(np.array([0.0, 0.5]))
    stable = None if linear.reads_parameter else linear.stable_ranges()
    return Certificate(
        largest,
        linear,
        poles=tuple(linear.poles.tolist()),
        slowest=slowest,
        tpf=linear.temporal_perception_field(),
        gain=float(gains[0].real),
        ringing=float(np.abs(gains[1])),
        stable=stable,
        decay=decay,
    )


def _update(gain: float, what: str = "") -> str:
    return "the update grows for ever" if math.isnan(gain) else f"update of {gain:.4g} per unit{what}"


def _number(pole: complex) -> str:
    if abs(pole) < ROUNDING:
        return "0"
    if abs(pole.imag) < ROUNDING:
        return f"{pole.real:.4g}"
    return f"{pole.real:.4g} {'+' if pole.imag > 0 else '-'} {abs(pole.imag):.4g}i"
