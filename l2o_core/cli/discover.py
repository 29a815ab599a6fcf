"""`l2o discover`: search small rules with a memory that optimize one task well, or several.

TASK is a name such as digits, p2 or lenet. Rules are searched and tuned on one part of the data, the front is
chosen on another, and the best rule is compared on a third, from fresh starts, with Adam, whose learning rate
and betas are tuned with as many trials as the constants of any rule. Ctrl-C ends the search early.
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError
from .distill import attempt, check_output

if TYPE_CHECKING:
    from ..distiller import ParetoFront
    from ..tasks import Task

WIDTH = 110


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to `l2o`."""
    parser = commands.add_parser(
        "discover",
        help="search rules that optimize a task well (digits, p2)",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("tasks", nargs="+", metavar="TASK")
    parser.add_argument("--time", type=float, default=180, metavar="S", help="seconds of search (180)")
    parser.add_argument("--max-complexity", type=int, default=30, metavar="N", help="largest rule (30 nodes)")
    parser.add_argument("--steps", type=int, default=100, metavar="N", help="optimizee steps of a run (100)")
    parser.add_argument(
        "--instances", type=int, default=2, metavar="N", help="instances of each task in the search (2)"
    )
    parser.add_argument("--starts", type=int, default=20, metavar="N", help="fresh starts at the end (20)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the search (0)")
    parser.add_argument(
        "--start", type=Path, metavar="FRONT.json", help="begin with the rules of an earlier front, too"
    )
    parser.add_argument("--device", default="cpu", help="where tasks are run: cpu, cuda (cpu)")
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="write the front to FILE.json")
    parser.add_argument("--overwrite", action="store_true", help="replace FILE.json where it exists")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Search, write the front if asked, then print it and the comparison with Adam."""
    check(options)
    from .. import discovery, distiller
    from ..discovery.search import ROUNDS, TRIALS

    train, choose, report = (
        [load(name, part, options.device) for name in options.tasks] for part in ("train", "choose", "report")
    )
    given = [entry.equation for entry in distiller.ParetoFront.load(options.start)] if options.start else []
    shared = {"steps": options.steps, "instances": options.instances, "seed": options.seed}
    front = discovery.discover(
        train,
        choice=choose,
        start=given,
        max_complexity=options.max_complexity,
        time_limit=options.time,
        progress=sys.stderr.isatty(),
        **shared,
    )
    unwritten = attempt(options.out, front.save)
    print(table(front), flush=True)
    adam, constants = discovery.tuned_adam(train, trials=ROUNDS * TRIALS, **shared)
    values = ", ".join(f"{name} {value:.3g}" for name, value in constants.items())
    print(f"Adam, tuned with {ROUNDS * TRIALS} trials: {values}")
    rules = {"the best rule": front.best.equation, "Adam": adam}
    for task in report:
        found = discovery.evaluate_fresh(
            rules, task, steps=options.steps, starts=options.starts, seed=options.seed
        )
        print(f"{task.name}, {options.starts} fresh starts of {options.steps} steps:")
        for name, part in (("mean loss", 0), ("end loss", 1)):
            ours, theirs = (sides[part] for sides in found.values())
            print(
                f"  {name}: {ours.mean():.4f}, Adam {theirs.mean():.4f}, "
                f"difference {discovery.difference(ours, theirs)}"
            )
    if unwritten:
        raise unwritten  # after the report, so that the search was not for nothing
    if options.out:
        print(f"written to {options.out}")
    return 0


def table(front: ParetoFront) -> str:
    """The front, and its best rule in full."""
    from ..distiller.rendering import shorten

    lines = [*front.notes, f"{front.settings['candidates']} rules tried in {front.seconds:.0f} s"]
    lines += ["nodes    loss  rule (loss on the choice, as a fraction of Adam's at a learning rate of 0.01)"]
    for entry in front:
        numbers = f"{entry.complexity:5d}  {entry.loss:6.3f}  "
        lines.append(numbers + shorten(entry.equation, WIDTH - len(numbers)))
    return "\n".join([*lines, f"the best rule: {front.best.equation}"])


def load(name: str, part: str, device: str) -> Task:
    """A part of a task by its name."""
    from .. import tasks

    return tasks.load(name, part=part, device=device)


def check(options: argparse.Namespace) -> None:
    """Refuse, before anything is loaded or searched, what could only fail at the end."""
    check_output(options.out, (".json",), options.overwrite)
    if not 0 < options.time < math.inf:
        raise ConfigError(f"--time must be a positive number of seconds, not {options.time:g}")
    limits = {"--max-complexity": 1, "--steps": 1, "--instances": 1, "--starts": 2, "--seed": 0}
    for option, least in limits.items():
        value = getattr(options, option.strip("-").replace("-", "_"))
        if value < least:
            raise ConfigError(f"{option} must be {least} or more, not {value}")
