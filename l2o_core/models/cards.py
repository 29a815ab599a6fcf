"""Model cards: what a model's own file says of it, for a reader."""

from __future__ import annotations

from pathlib import Path

from .store import describe

CARD = """\
# {title}

{architecture} with {weights:,} weights; reads {features}. Load it with `models.load("{title}")`.

## Training

Meta-trained on {dataset}: problem `{task}`, {epochs} epochs of {steps} steps, seed {seed}, recipe `{recipe}`.
{chosen}
{options}
The weights kept are those of epoch {best_epoch}, with a mean loss of {best_loss:.4g} on held-out instances of
the training problem. Meta-training took {minutes:.1f} minutes on one core{trouble}.

## Use

Meant for distillation and for comparisons. It was trained on this problem alone: expect less elsewhere, and
expect its inputs and initialisations to matter. Licence: that of the library; no data set is contained.
"""

CHOSEN = "Of several seeds, the one farthest in its curriculum, then with the lowest validation loss: {}.\n"


def card(name: str | Path) -> str:
    """The model card of a trained model, as Markdown. Raises what `load` raises."""
    described = describe(name)
    training = described["training"]
    history, task = training["history"], dict(training["task"])
    shown = ("unroll", "lr", "decay", "fraction", "scaling", "imitation", "estimator", "instances")
    options = [f"| {option} | {training[option]} |" for option in shown if option in training]
    options.append("| architecture | " + _listed(described["options"]) + " |")
    if len(task) > 1:
        options.append("| problem | " + _listed({k: v for k, v in task.items() if k != "name"}) + " |")
    candidates = training.get("candidates", {})
    others = ", ".join(f"seed {seed} {loss:.4g}" for seed, loss in candidates.items())
    steps = training["steps"]
    best_epoch, best_loss = history["best"]
    rolled_back = len(history["diverged"])
    return CARD.format(
        title=training["recipe"],
        recipe=training["recipe"],
        architecture=described["architecture"],
        weights=described["weights"],
        features=", ".join(f"`{feature}`" for feature in described["features"]),
        dataset=training["dataset"] or "a synthetic problem",
        task=task["name"],
        epochs=training["epochs"],
        steps=" → ".join(map(str, steps)) if isinstance(steps, list) else steps,
        seed=training["seed"],
        chosen=CHOSEN.format(others) if len(candidates) > 1 else "",
        options="\n".join(["| option | value |", "| :--- | :--- |", *options, ""]),
        best_epoch=best_epoch,
        best_loss=best_loss,
        minutes=history["seconds"] / 60,
        trouble=f"; {rolled_back} diverging epochs were rolled back" if rolled_back else "",
    )


def _listed(options: dict) -> str:
    return ", ".join(f"{key} {value}" for key, value in options.items()) or "as defined"
