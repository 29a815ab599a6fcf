"""Attacks on defences by rules and by APGD: one run, the choice among several, and the entry of a record.

An attacker is judged by how many images it leaves rightly classified. All of them have the same images,
starts, steps and loss, and one gradient of the defence a step, until an image is misclassified.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from l2o_core import data
from l2o_core.arguments import find_device
from l2o_core.errors import ConfigError
from l2o_core.models import Equation
from l2o_core.storage import NO_CACHE, Cache, digest
from l2o_core.tasks import attack
from l2o_core.tasks.attack import SHAPES, Attacked, Defence, Target

from . import baselines

PUBLISHED = {
    "Carmon2019 (WRN-28-10)": "Carmon2019Unlabeled",
    "Gowal2020 (WRN-34-20)": "Gowal2020Uncovering_34_20",
    "Gowal2020 (WRN-28-10)": "Gowal2020Uncovering_28_10_extra",
    "Sehwag2020 (WRN-28-10)": "Sehwag2020Hydra",
    "Wu2020 (WRN-28-10)": "Wu2020Adversarial_extra",
    "Engstrom2019 (RN-50)": "Engstrom2019Robustness",
    "Wong2020 (RN-18)": "Wong2020Fast",
}
"""The rows of SOL's Table 5, and the names of their models in RobustBench."""
STAND_IN = {"epochs": 6, "epsilon": 0.1, "batch": 64, "augment": False}
"""How defences of digits are trained, in seconds; their widths are below."""
WIDTHS = {"narrow": 4, "plain": 4, "wide": 8}
BATCH = 250
"""Images that are attacked at once."""


@dataclass(frozen=True, eq=False)
class Attacker:
    """An attacker: `run(target, steps, start)`, all that it depends on, and its constants, for a table."""

    run: Callable[[Target, int, Tensor | None], Attacked]
    key: Any
    constants: dict[str, float] = field(default_factory=dict)


class Scaled:
    """An equation times a factor of its own steps."""

    def __init__(self, equation: Equation, rate: float):
        self.equation, self.rate = equation, rate

    def init_state(self, like: Tensor) -> Any:
        """The equation's."""
        return self.equation.init_state(like)

    def advance(self, g: Tensor, state: Any) -> tuple[Tensor, Any]:
        """The equation's update `[N]`, times the factor, and its next state."""
        update, state = self.equation.advance(g, state)
        return self.rate * update, state

    def place(self, state: Any, params: Tensor) -> Any:
        """The equation's: where the constraints have put the image."""
        return self.equation.place(state, params)


def rule(equation: Equation, rate: float = 1.0, constants: dict[str, float] | None = None) -> Attacker:
    """An equation inside the projection."""

    def run(target: Target, steps: int, start: Tensor | None) -> Attacked:
        return attack.follow(Scaled(equation, rate), target, steps=steps, start=start, stop=True)

    return Attacker(run, {"equation": equation.identity, "rate": rate}, constants or {})


def apgd(momentum: float = 0.25, rho: float = 0.75) -> Attacker:
    """APGD; the defaults are its authors'."""
    constants = {"momentum": momentum, "rho": rho}

    def run(target: Target, steps: int, start: Tensor | None) -> Attacked:
        return attack.apgd(target, steps=steps, start=start, stop=True, **constants)

    return Attacker(run, {"apgd": constants}, constants)


def apgds(trials: int) -> list[Attacker]:
    """APGD as published, and with other constants, even over momentum 0 to 0.9 and rho 0.2 to 0.95."""
    points = baselines.even_points([(0.0, 0.9), (0.2, 0.95)], trials - 1, seed=2)
    return [apgd(), *(apgd(*(round(x, 3) for x in point)) for point in points.tolist())]


def defence(name: str, dataset: str, device: str = "cpu") -> Defence:
    """A defence by name: one of digits, trained now; one that comes with the library; or one of RobustBench.

    Raises:
        ConfigError: For a name that is not known or not installed, one of other data, or a missing device.
        DataError: Where RobustBench's weights cannot be had.
    """
    if name not in SHAPES:
        found = attack.robustbench(name)
    elif dataset == "digits":
        found = attack.harden(name, dataset, width=WIDTHS[name], **STAND_IN)  # type: ignore[arg-type]
    else:
        found = attack.load(name)
    if found.dataset != dataset:
        raise ConfigError(f"{name} classifies {found.dataset}, not {dataset}; choose other defences or data")
    found.module.to(find_device(device))
    return found


@cache
def targets(
    of: Defence, part: str, images: int, epsilon: float, loss: str = "cross_entropy"
) -> tuple[Target, float]:
    """The first images of a part that a defence classifies rightly, and how many it does, in %.

    "report" is the test split; "train" and "choose" are parts of the training split, whose images the defence
    itself was trained on.
    """
    found = data.load(of.dataset, "test") if part == "report" else data.load(of.dataset, "train", part=part)
    pixels, labels = found.images[:images].to(of.device).float() / 255, found.labels[:images].to(of.device)
    right = of.right(pixels, labels)
    if not right.any():
        raise ConfigError(f"{of.name} classifies none of the {len(labels)} images rightly; train it longer")
    return Target(of, pixels[right], labels[right], epsilon, loss), 100 * right.float().mean().item()


def fooled(
    attacker: Attacker, target: Target, steps: int, restarts: int = 1, cache: Cache = NO_CACHE
) -> Tensor:
    """In how many steps each image is first misclassified `[B]`, -1 for never; read where it is cached."""
    key = _key(attacker, target, steps) | {"restarts": restarts}

    def run() -> dict[str, Tensor]:
        once = partial(_once, attacker, steps)
        parts = [
            attack.restarted(once, part, restarts, seed) for seed, part in enumerate(target.split(BATCH))
        ]
        return {"fooled": torch.cat(parts).cpu()}

    found: Tensor = cache.call("attacks", key, run)["fooled"]
    return found


def held(attacker: Attacker, target: Target, steps: int, cache: Cache = NO_CACHE) -> float:
    """What is minimised where a choice is made: the share of images that hold against one run.

    Of equal ones the better has brought these images closer to an error, by the lowest of their losses.
    """

    def run() -> dict[str, float]:
        parts = [attacker.run(part, steps, None) for part in target.split(BATCH)]
        held = torch.cat([~part.success for part in parts])
        lowest = torch.cat([part.losses.amin(0) for part in parts])
        return {"cost": (held * (1 + 1e-4 * lowest.double().clamp(-3, 3))).mean().item()}

    found: float = cache.call("attack choices", _key(attacker, target, steps), run)["cost"]
    return found


def entries(
    field: Mapping[str, Sequence[Attacker]],
    target: Target,
    steps: int,
    restarts: int,
    cache: Cache = NO_CACHE,
) -> dict[str, dict[str, Any]]:
    """The entry of each attacker by label, one attack for each training seed, all on the same images."""
    return {
        label: entry(
            [fooled(one, target, steps, restarts, cache) for one in of],
            steps,
            of[0].constants if len(of) == 1 else None,
        )
        for label, of in field.items()
    }


def entry(runs: Sequence[Tensor], steps: int, constants: dict[str, float] | None = None) -> dict[str, Any]:
    """The attacks of one attacker on the same images, one for each training seed.

    "success" has a digit for each image, 1 where it was misclassified; "curves" the share of images in
    percent that were by a step.
    """
    at = np.unique(np.linspace(0, steps, min(steps, 100) + 1).round().astype(int))
    return {
        "success": ["".join("01"[one >= 0] for one in run.tolist()) for run in runs],
        "steps": at.tolist(),
        "curves": [[_percent((run >= 0) & (run <= step)) for step in at.tolist()] for run in runs],
        "constants": constants or None,
    }


def success(entry: dict[str, Any]) -> np.ndarray:
    """What an entry keeps, in percent: 100 where an image was misclassified, 0 elsewhere `[runs, images]`."""
    return np.array([[100.0 * int(digit) for digit in run] for run in entry["success"]])


def errors(entry: dict[str, Any], clean: float) -> list[float]:
    """1 - accuracy under attack in % for each run, where `clean` % were classified rightly before."""
    return [100 - clean + clean / 100 * float(rate) for rate in success(entry).mean(1)]


def _key(attacker: Attacker, target: Target, steps: int) -> dict[str, Any]:
    images = digest([target.images, target.labels])
    key = {"defence": target.defence.identity, "images": images, "attack": attacker.key}
    return key | {"epsilon": target.epsilon, "loss": target.loss, "steps": steps}


def _once(attacker: Attacker, steps: int, target: Target, start: Tensor | None) -> Attacked:
    return attacker.run(target, steps, start)


def _percent(which: Tensor) -> float:
    return round(100 * which.float().mean().item(), 2)
