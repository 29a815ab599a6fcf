"""`l2o zoo`: the named update rules, as equations."""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import ConfigError

if TYPE_CHECKING:
    from ..optim.zoo import Rule

WIDTH = 100
TERM = re.compile(r"\b([a-z]+)0( \* \w+\(\w+\[)0(\][^()+]*\))")
"""The first of a run of terms: `c0 * tanh(g[0])`."""


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to `l2o`."""
    parser = commands.add_parser("zoo", help="list the named update rules, or show one", description=__doc__)
    parser.add_argument("name", nargs="?", help="show this rule: equation, source, note, defaults")
    parser.add_argument(
        "--certificate",
        action="store_true",
        help="also its poles, memory and response, and where it is stable on quadratics",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the list, or one rule."""
    from ..optim import zoo

    if options.name is None and options.certificate:
        raise ConfigError("--certificate is for one rule: l2o zoo NAME --certificate")
    if options.name is None:
        width = max(map(len, zoo.names()))
        for name in zoo.names():
            rule = zoo.get(name)
            equation = textwrap.shorten(summed(rule.text), 40, placeholder=" …")
            print(f"{name:<{width}}  {equation:<40}  {rule.use}")
        return 0
    rule = zoo.get(options.name)
    lines = {"equation": summed(rule.text), "source": rule.source}
    lines |= {"use it": rule.use, "note": rule.note}
    lines["defaults"] = ", ".join(f"{key}={value}" for key, value in rule.defaults.items())
    lines["to be given"] = ", ".join(ranges(rule.unpublished))
    for label, text in lines.items():
        if text:
            body = textwrap.fill(text, WIDTH, subsequent_indent=" " * 13, break_long_words=False)
            print(f"{label + ':':<13}{body}")
    if options.certificate:
        print(f"\n{certified(rule)}")
    return 0


def certified(rule: Rule) -> str:
    """The certificate of a rule of the zoo, or why there is none."""
    from ..certificates import certificate

    if rule.unpublished:
        return f"no certificate: there are no published values of {', '.join(ranges(rule.unpublished))}"
    try:
        return str(certificate(rule.name))
    except ConfigError as error:  # such as a decay that needs the number of steps
        return f"no certificate: {error}"


def summed(text: str) -> str:
    """An equation's text, with sum signs: `Σ_{i=0..2} c_i * tanh(g[i])` for `c0 * tanh(g[0]) + c1 * ...`."""
    text = " ".join(text.split()).replace("( ", "(")
    for first in reversed(list(TERM.finditer(text))):
        weight, middle, rest = first.groups()
        end, count = first.end(), 1
        while text.startswith(term := f" + {weight}{count}{middle}{count}{rest}", end):
            end, count = end + len(term), count + 1
        if count > 2:
            run = f"Σ_{{i=0..{count - 1}}} {weight}_i{middle}i{rest}"
            text = text[: first.start()] + run + text[end:]
    return text


def ranges(names: Sequence[str]) -> list[str]:
    """Names, with numbered ones in a row as a range: `c0 … c19`."""
    found: list[tuple[str, str]] = []
    for name in names:
        stem = name.rstrip("0123456789")
        number = name.removeprefix(stem)
        if found and number and found[-1][1] == f"{stem}{int(number) - 1}":
            found[-1] = (found[-1][0], name)
        else:
            found.append((name, name))
    return [first if first == last else f"{first} … {last}" for first, last in found]
