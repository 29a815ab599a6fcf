"""The grid of SymL2O's Table 4: rules of several kinds, each tried at the same number of settings.

A rule's name begins with its kind, as in "SGD momentum=0.9 lr=0.1 cosine"; those of ours are "Eq. 6" and
"Memory", for rules with a memory of their own. `runs` is a `training.summary`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from . import plots, training

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OURS = "Eq. 6"
MEMORY = "Memory"
HIGH_MOMENTUM = "SGD momentum=0.99"
Runs = Mapping[str, Any]


@dataclass(frozen=True)
class Rule:
    """A rule at one setting: `make` gives its optimizer of some parameters.

    `problem` is that of the teacher, for an equation.
    """

    name: str
    make: Callable[..., torch.optim.Optimizer]
    schedule: str = "constant"
    lr: float = 1.0
    problem: str = ""


def scheduled(
    label: str,
    make: Callable[..., torch.optim.Optimizer],
    rates: Iterable[float],
    problem: str = "",
) -> list[Rule]:
    """A rule at each learning rate, constant and falling along a cosine; `make` takes parameters and `lr`."""
    return [
        Rule(
            f"{label} lr={lr}{'' if schedule == 'constant' else f' {schedule}'}",
            partial(make, lr=lr),
            schedule,
            lr,
            problem,
        )
        for schedule in training.SCHEDULES
        for lr in rates
    ]


def handmade(
    rates: Sequence[float],
    momenta: Sequence[float],
    adam_rates: Sequence[float],
    betas: Sequence[Sequence[float]],
) -> list[Rule]:
    """SGD and Nesterov at all rates and momenta, and Adam at all rates and pairs of betas."""
    found = []
    for kind, nesterov in {"SGD": False, "Nesterov": True}.items():
        for momentum in momenta:
            make = partial(torch.optim.SGD, momentum=momentum, nesterov=nesterov)
            found += scheduled(f"{kind} momentum={momentum}", make, rates)
    for first, second in betas:
        adam = partial(torch.optim.Adam, betas=(first, second))
        found += scheduled(f"Adam betas={first},{second}", adam, adam_rates)
    return found


def kind(name: str) -> str:
    """The kind of a rule by its name: "SGD", "Nesterov", "Adam", "Eq. 6" or "Memory"."""
    return OURS if name.startswith(OURS) else name.split()[0]


def of_kinds(entries: Mapping[str, Runs], *kinds: str) -> dict[str, Runs]:
    """The entries of some kinds."""
    return {name: runs for name, runs in entries.items() if kind(name) in kinds}


def handmade_kinds(entries: Mapping[str, Runs]) -> list[str]:
    """The kinds that are not ours, in the order of the entries."""
    return [each for each in dict.fromkeys(map(kind, entries)) if each not in (OURS, MEMORY)]


def score(runs: Runs) -> float:
    """Mean accuracy on the images for choices, after the last epoch."""
    return float(np.mean(runs["validation"]))


def best(entries: Mapping[str, Runs]) -> str:
    """The name with the highest score."""
    return max(entries, key=lambda name: score(entries[name]))


def best_of_each_kind(trials: Mapping[str, Runs]) -> list[str]:
    """The best rule of every kind, in the order of the trials."""
    return [best(of_kinds(trials, each)) for each in dict.fromkeys(map(kind, trials))]


def for_finals(trials: Mapping[str, Runs]) -> list[str]:
    """What goes to the finals: the best of every kind, and the best SGD with a momentum of 0.99, if any."""
    high = of_high_momentum(trials)
    return [*dict.fromkeys([*best_of_each_kind(trials), *([best(high)] if high else [])])]


def of_high_momentum(entries: Mapping[str, Runs]) -> dict[str, Runs]:
    """The entries of SGD with a momentum of 0.99."""
    return {name: runs for name, runs in entries.items() if name.startswith(HIGH_MOMENTUM)}


def counts(trials: Mapping[str, Runs]) -> dict[str, int]:
    """How many settings of each kind were tried."""
    return dict(Counter(map(kind, trials)))


def table4(values: Mapping[str, Any]) -> tuple[Mapping[str, Runs], Mapping[str, Runs]]:
    """The trials and the finals of a record; a record made before has trained every rule with every seed."""
    if "finals" in values:
        return values["trials"], values["finals"]
    everyone = values["baselines"] | values["ours"]
    return everyone, everyone


def finalists(finals: Mapping[str, Runs]) -> tuple[str, str]:
    """The best of the hand-made rules, and of Eq. 6."""
    return best(of_kinds(finals, *handmade_kinds(finals))), best(of_kinds(finals, OURS))


def with_memory(finals: Mapping[str, Runs]) -> str | None:
    """The best rule with a memory; None in a record made before there were any."""
    found = of_kinds(finals, MEMORY)
    return best(found) if found else None


def distinct(few: Runs, many: Runs) -> list[int]:
    """The seeds, by position, for which two limits on the size gave two equations.

    A front has one equation of a number of nodes, so that numbers tell.
    """
    return [i for i, (a, b) in enumerate(zip(few["nodes"], many["nodes"], strict=True)) if a != b]


def only(runs: Runs, rows: Sequence[int]) -> dict[str, Any]:
    """The runs at some positions."""
    return dict(runs) | {"test": [runs["test"][row] for row in rows]}


def draw(values: Mapping[str, Any], epochs: int) -> Figure:
    """Figure 2: test accuracy along training, a panel for each kind of hand-made rules, ours in all of them.

    Trials are thin; thick is the best of a kind, averaged over its networks.
    """
    from matplotlib import pyplot as plt

    trials, finals = table4(values)
    _, mine = finalists(finals)
    kinds = handmade_kinds(trials)
    memory = with_memory(finals)
    fig, axes = plt.subplots(1, len(kinds), figsize=(6.7, 3.4), sharey=True, squeeze=False)
    for ax, each in zip(axes[0], kinds, strict=True):
        of_kind = of_kinds(trials, each)
        for name, runs in of_kind.items():
            _curve(
                ax,
                runs,
                epochs,
                color=plots.CYCLE[-1],
                lw=0.7,
                alpha=0.6,
                ls="--" if name.endswith("cosine") else "-",
            )
        top = best({name: runs for name, runs in finals.items() if name in of_kind})
        _curve(ax, finals[top], epochs, color=plots.CYCLE[0], lw=2.2, label=top)
        _curve(ax, finals[mine], epochs, color=plots.COLORS["equation"], lw=2.2, label=mine)
        if memory:
            _curve(ax, finals[memory], epochs, color=plots.COLORS["discovered"], lw=2.2, label=memory)
        ax.set(title=each, xlabel="epoch")
        ax.xaxis.get_major_locator().set_params(integer=True)
    axes[0, 0].set_ylabel("test accuracy, %")
    found = {text: line for ax in axes[0] for line, text in zip(*ax.get_legend_handles_labels(), strict=True)}
    fig.legend(found.values(), found, loc="outside lower center", ncols=2)
    return fig


def _curve(ax: Axes, runs: Runs, epochs: int, **look: Any) -> None:
    """The mean over the networks that did not diverge."""
    curves = [curve for curve in runs["test"] if len(curve) == epochs]
    if curves:
        ax.plot(range(1, epochs + 1), 100 * np.mean(curves, axis=0), **look)
