"""How much of a teacher do rules with a memory of their own explain, within how many nodes?

    python benchmarks/recurrent_distillation.py [TEACHER ...] [--seconds 150] [--seed 0] [--json FILE]

For each teacher (rp/p2, ...): a search for rules of up to 60 nodes and one for up to 120, each with a time
limit. Printed is R2 on rollouts that played no part: in closed loop of the best rule, of the best one within
60 nodes, and one step ahead within 30. Which entry is meant is chosen on other rollouts.
"""

import argparse
import json
import time
from pathlib import Path

import torch

from l2o_core import models, tasks
from l2o_core.distiller import distill_recurrent, record

TEACHERS = ("rp/p2", "rp_small_extra/p2", "dm/p2", "rp/p1", "rp_small_extra/p1")
ROLLOUTS = {"p1": {"instances": 100, "per_layer": 5}, "p2": {"instances": 16, "per_layer": 10}}


def measure(teacher: str, seconds: float, seed: int) -> dict[str, object]:
    """The figures of one teacher, and the rule within 60 nodes."""
    problem = teacher.partition("/")[2]
    way = record(models.load(teacher), tasks.load(problem), seed=seed, steps=100, **ROLLOUTS[problem])
    begun = time.perf_counter()
    short, long = (
        distill_recurrent(way, time_limit=seconds, max_complexity=nodes, seed=seed) for nodes in (60, 120)
    )
    elapsed = (time.perf_counter() - begun) / 2
    best = max(short.best, long.best, key=lambda entry: entry.r2_select)
    ahead = short.at(30)
    return {
        "best": best.closed_loop,
        "nodes": best.complexity,
        "within 60": short.best.closed_loop,
        "one step ahead within 30": ahead.r2,
        "seconds a search": elapsed,
        "rule within 60": str(short.best.equation),
        "rule one step ahead": str(ahead.equation),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("teachers", nargs="*", default=TEACHERS)
    parser.add_argument("--seconds", type=float, default=150)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    found = {}
    for teacher in options.teachers:
        found[teacher] = one = measure(teacher, options.seconds, options.seed)
        print(f"{teacher}: " + ", ".join(f"{k} {v:.4g}" for k, v in one.items() if not isinstance(v, str)))
        print(f"    {one['rule within 60']}", flush=True)
        if options.json:
            options.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
