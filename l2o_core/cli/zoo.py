"""`l2o zoo`: the named update rules, as equations."""

from __future__ import annotations

import argparse
import textwrap

WIDTH = 100


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to `l2o`."""
    parser = commands.add_parser("zoo", help="list the named update rules, or show one", description=__doc__)
    parser.add_argument("name", nargs="?", help="show this rule: equation, source, note, defaults")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the list, or one entry."""
    from ..optim import zoo

    if options.name is None:
        width = max(map(len, zoo.names()))
        for name in zoo.names():
            text = str(zoo.get(name).equation)
            print(f"{name:<{width}}  {textwrap.shorten(text, WIDTH, placeholder=' …')}")
        return 0
    entry = zoo.get(options.name)
    defaults = ", ".join(f"{key}={value}" for key, value in entry.defaults.items())
    lines = {"equation": str(entry.equation), "source": entry.source, "note": entry.note}
    lines["defaults"] = defaults
    lines["to be given"] = ", ".join(entry.unpublished)
    for label, text in lines.items():
        if text:
            body = textwrap.fill(str(text), WIDTH, subsequent_indent=" " * 13, break_long_words=False)
            print(f"{label + ':':<13}{body}")
    return 0
