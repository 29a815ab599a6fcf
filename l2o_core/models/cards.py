"""Model cards: how a model was trained and what to use it for, from the header of its own file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from .store import describe

CARD = """\
# {title}

{architecture} with {weights:,} weights; it reads {features}. Load it with `models.load("{title}")`.

## Training

Meta-trained on {dataset} (problem `{task}`) for {epochs} epochs of {steps} steps with seed {seed},
by the recipe `{recipe}`{start}.
{chosen}
{options}
These are the weights after epoch {best_epoch}, which had the lowest mean loss on held-out instances of the
training problem: {best_loss:.4g}. Meta-training took {minutes:.1f} minutes on {device}{trouble}.

## Use

Made for distillation and for comparisons. It has seen this problem only: on other problems, inputs or
initialisations expect it to do worse. It has the library's licence and contains no data.
"""

CHOSEN = (
    "Of the seeds tried, it got farthest in the curriculum and then had the lowest validation loss ({}).\n"
)


def card(name: str | Path) -> str:
    """The model card of a trained model.

    Args:
        name: A file, or one of `pretrained()`.

    Returns:
        Markdown.

    Raises:
        L2OError: As `load` does.

    Example:
        >>> print(card("rp/p2").splitlines()[0])
        # rp/p2
    """
    described = describe(name)
    try:
        return _card(described)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise CheckpointError(
            f"{name} has no complete record of its training ({error!r:.60}); train it by a recipe"
        ) from error


def _card(described: dict[str, Any]) -> str:
    training = described["training"]
    history, task = training["history"], dict(training["task"])
    shown = ("unroll", "lr", "decay", "fraction", "scaling", "imitation", "estimator", "instances")
    options = [f"| {option} | {training[option]} |" for option in shown if option in training]
    options.append("| architecture | " + _listed(described["options"]) + " |")
    part = task.pop("part", None)
    options.append(f"| data it saw | {f'part {part}' if part else 'the whole training split'} |")
    if len(task) > 1:
        options.append("| problem | " + _listed({k: v for k, v in task.items() if k != "name"}) + " |")
    candidates = training.get("candidates", {})
    others = ", ".join(f"seed {seed}: {loss:.4g}" for seed, loss in candidates.items())
    steps = training["steps"]
    best_epoch, best_loss = history["best"]
    rolled_back = len(history["diverged"])
    return CARD.format(
        title=training["recipe"] if candidates else f"{training['recipe']}-{training['seed']}",
        recipe=training["recipe"],
        architecture=described["architecture"],
        weights=described["weights"],
        features=", ".join(f"`{feature}`" for feature in described["features"]),
        dataset=training["dataset"] or "a synthetic problem",
        task=task["name"],
        epochs=training["epochs"],
        steps=" → ".join(map(str, steps)) if isinstance(steps, list) else steps,
        seed=training["seed"],
        start=f", from the weights of `{start}` of that seed on" if (start := training.get("start")) else "",
        chosen=CHOSEN.format(others) if len(candidates) > 1 else "",
        options="\n".join(["| option | value |", "| :--- | :--- |", *options, ""]),
        best_epoch=best_epoch,
        best_loss=best_loss,
        minutes=history["seconds"] / 60,
        device={"cpu": "one CPU core"}.get(device := training.get("device", "cpu"), f"one {device} device"),
        trouble=f"; {rolled_back} diverging epochs were rolled back" if rolled_back else "",
    )


def _listed(options: dict) -> str:
    return ", ".join(f"{key} {value}" for key, value in options.items()) or "as defined"
