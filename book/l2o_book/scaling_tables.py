"""The tables of the page on scaling: SymL2O's Tables 4, 5 and 8 beside the values of a record.

`epochs` is the number of them that every network was trained for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from l2o_core.features import POWERS
from l2o_core.meta.estimators import PES
from l2o_core.models import Equation

from . import grid, training
from .problems import original
from .records import plural
from .tables import NOT_RECORDED, Published, mean_std, median_time


def published(name: str, mine: str) -> str | None:
    """The paper's accuracy at this setting; of ours, that is the rule `mine`."""
    cell = Published("SymL2O Table 4").cell
    first, *options = name.removesuffix(" cosine").split()
    if first == "SGD":
        return cell(f"SGD{' with cosine decay' if name.endswith(' cosine') else ''}", ", ".join(options))
    return cell("Symbolic L2O", "accuracy") if name == mine else None


def beside_the_papers(values: Mapping[str, Any], epochs: int) -> pd.DataFrame:
    """Table 4: the paper's settings and the finals, each with its test accuracy and number of networks."""
    trials, finals = grid.table4(values)
    (chosen, mine), memory = grid.finalists(finals), grid.with_memory(finals)
    return pd.DataFrame(
        {
            "optimizer": name,
            "published": published(name, mine),
            "test accuracy, %": mean_std(training.final(runs, epochs)),
            "networks": len(runs["test"]),
            "chosen": {chosen: "best of the grid", mine: "ours", memory: "ours, beyond the paper"}.get(name),
        }
        for name, runs in ((name, finals.get(name, trials[name])) for name in trials)
        if name in finals or published(name, mine)
    )


def tried(trials: Mapping[str, grid.Runs]) -> pd.DataFrame:
    """Every setting with its accuracy on the images for choices, a line for all learning rates."""
    lines: dict[str, list[str]] = {}
    for name, runs in trials.items():
        rate = next((part for part in name.split() if part.startswith("lr=")), "lr=1")
        rule = " ".join(part for part in name.split() if not part.startswith("lr="))
        found = "diverged" if runs["diverged"] else f"{100 * grid.score(runs):.1f}"
        lines.setdefault(rule, []).append(f"{rate.removeprefix('lr=')}: {found}")
    return pd.DataFrame(
        {"rule": rule, "learning rate: accuracy, %": ", ".join(found)} for rule, found in lines.items()
    )


def row(name: str) -> str:
    """The paper's name of an equation in its Table 5: "DM, P1"."""
    label, problem = name.split(", ")
    return f"{label}, {original(problem).upper()}"


def tuning(equations: Mapping[str, Any], epochs: int) -> pd.DataFrame:
    """Table 5: fit, and test accuracy before and after meta-tuning."""
    cell = Published("SymL2O Table 5").cell

    def accuracy(runs: Mapping[str, Any], key: str) -> str:
        return mean_std(training.final(runs[key], epochs)) if key in runs else NOT_RECORDED

    return pd.DataFrame(
        {
            "equation of": row(name),
            "R²": mean_std(runs["r2"]),
            "before, published": cell(row(name), "before meta-tuning"),
            "before": accuracy(runs, "before"),
            "before, other rows": accuracy(runs, "other rows"),
            "after, published": cell(row(name), "after meta-tuning"),
            "after": accuracy(runs, "after"),
        }
        for name, runs in equations.items()
    )


def ways(found: Mapping[str, Any], parameters: Mapping[str, Any], epochs: int) -> pd.DataFrame:
    """Ways of tuning one rule: accuracy, the setting that was chosen, and what tuning and using it cost.

    `parameters` are those of the page; steps are those of networks, without validation.
    """
    tuned = parameters["tune_epochs"] * parameters["tune_steps"]
    steps = {"TBPTT": tuned, "PES": 2 * PES.pairs * tuned, grid.OURS: tuned}
    steps["without gradients"] = parameters["way_trials"] * parameters["tune_steps"]
    return pd.DataFrame(
        {
            "tuned by": f"{way}, TBPTT" if way == grid.OURS else way,
            "test accuracy, %": mean_std(training.final(runs, epochs)),
            "setting": runs["setting"].removeprefix(f"{way} "),
            "steps": steps.get(way, "–"),
            "tuning": median_time(took) if (took := [s for s in runs["tuning"] if s]) else "–",
            "training": median_time(runs["seconds"]),
            "bytes a parameter": f"{np.mean(runs['bytes']):.0f}" if "bytes" in runs else NOT_RECORDED,
        }
        for way, runs in found.items()
    )


def unchanged(equations: Mapping[str, Any]) -> list[str]:
    """Equations that meta-tuning returned as they were, with the number of seeds: "DM, P1 (2 seeds)".

    It does so where no loss was lower than that before it, or where it diverged again and again.
    """
    same = {
        row(name): sum(losses is None or losses[1] >= losses[0] for losses in runs["loss"])
        if "loss" in runs
        else sum(a == b for a, b in zip(runs["before"]["test"], runs["after"]["test"], strict=True))
        for name, runs in equations.items()
    }
    return _with_seeds(same)


def kept(found: Mapping[str, Any]) -> list[str]:
    """Those of several that tuning returned as they were, with the number of seeds: "PES (2 seeds)"."""
    return _with_seeds({name: sum(runs.get("kept", ())) for name, runs in found.items()})


def _with_seeds(numbers: Mapping[str, int]) -> list[str]:
    return [f"{name} ({plural(number, 'seed')})" for name, number in numbers.items() if number]


def written(model: Equation) -> str:
    """A rule with its constants as they are now, and with the six numbers inside n_hat where it has them."""
    values = model.features.hyperparameters()
    inside = ", ".join(f"{name} = {values[name]:.6g}" for name in POWERS if name in values)
    return f"{model.equation.rounded(6)}{f', where {inside}' if inside else ''}"


def sizes(found: Mapping[str, Any], epochs: int) -> pd.DataFrame:
    """Table 8: test accuracy by the limit on nodes, and how many equations differ from those of the last."""
    cell, lines, before = Published("SymL2O Table 8").cell, [], None
    for size, runs in found.items():
        new = len(runs["nodes"]) if before is None else len(grid.distinct(before, runs))
        line = {"nodes, at most": int(size), "nodes": ", ".join(map(str, runs["nodes"]))}
        line |= {"new equations": f"{new} of {len(runs['nodes'])}"}
        line |= {"published": cell(f"complexity {size}", "accuracy")}
        lines.append(line | {"ours": mean_std(training.final(runs, epochs))})
        before = runs
    return pd.DataFrame(lines)
