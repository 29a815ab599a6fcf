"""`l2o zoo`: the named update rules, as equations."""

from __future__ import annotations

import argparse


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to `l2o`."""
    parser = commands.add_parser("zoo", help="list the named update rules, or show one", description=__doc__)
    parser.add_argument("name", nargs="?", help="show this rule: equation, source, note, defaults")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the list, or one entry."""
    from l2o_core.optim import zoo

    if options.name is None:
        width = max(map(len, zoo.names()))
        for name in zoo.names():
            print(f"{name:<{width}}  {zoo.get(name).equation}")
        return 0
    entry = zoo.get(options.name)
    defaults = ", ".join(f"{key}={value}" for key, value in (entry.defaults or {}).items())
    lines = {"equation": entry.equation, "source": entry.source, "note": entry.note, "defaults": defaults}
    for label, text in lines.items():
        if text:
            print(f"{label + ':':<10}{text}")
    return 0
