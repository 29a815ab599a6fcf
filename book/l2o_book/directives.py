"""Directives for pages: the rules of the zoo, the help of a command, the claims of the papers.

What they print is made from the library when the book is built, so no page can fall behind it.
"""

from __future__ import annotations

import contextlib
import io
import os
from typing import Any, ClassVar

import torch
from docutils import nodes
from docutils.parsers.rst.directives import flag
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from l2o_core import cli
from l2o_core.certificates import certificate
from l2o_core.optim import SymbolicOptimizer, zoo

from . import claims, findings

SUMS = {  # too long to read when every term is written out
    "syml2o_eq2": r"0.013\,e^{-0.835\,\operatorname{asinh}t}\,\Bigl(\operatorname{erfc}\bigl(\sinh g_t"
    r" + \sum_{i=0}^{19} c_i\tanh g_{t-i}\bigr) - 1\Bigr)",
    "syml2o_eq6": r"-\gamma\sum_{i=0}^{19}\Bigl(a_i\tanh\frac{\hat m_{t-i}}{\gamma}"
    r" + c_i\tanh\frac{\hat g_{t-i}}{\gamma} + d_i\tanh\frac{\hat n_{t-i}}{\gamma}\Bigr)",
}
WIDTH = 88


class Zoo(SphinxDirective):
    """The rules one below the other with their equations, or with `:table:` in one line each."""

    option_spec: ClassVar = {"table": flag}

    def run(self) -> list[nodes.Node]:
        """Parse the lines as if they stood in the page."""
        lines = table() if "table" in self.options else entries()
        parent = nodes.Element()
        self.state.nested_parse(StringList(lines, "zoo.yml"), self.content_offset, parent)
        return parent.children


class Command(SphinxDirective):
    """The help text of the command named, or of `l2o` itself."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """One block of text."""
        text = help_text(*self.arguments)
        return [nodes.literal_block(text, text, language="text")]


class Claims(SphinxDirective):
    """The claims of one paper (`{claims} SOL`), a table of verdicts (`{claims} overview`), or a summary."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Parse the lines as if they stood in the page."""
        found, what = claims.load(), "".join(self.arguments)
        lines = findings.digest(found)
        if what == "overview":
            lines = findings.overview(found)
        elif what:
            lines = findings.rows(
                [claim for claim in found if claim.paper == what],
                f"tab-claims-{what.lower()}",
                f"The claims of {what}. Each verdict follows from the numbers beside it.",
            )
        parent = nodes.Element()
        self.state.nested_parse(StringList(lines, "claims.yml"), self.content_offset, parent)
        return parent.children


def table() -> list[str]:
    """A Markdown table of the rules: numbers stored for each parameter, learning rate, when to use it."""
    lines = ["| rule | numbers stored per parameter | learning rate | when to use it |"]
    lines.append("| :-- | --: | --: | :-- |")
    for name in zoo.names():
        rule = zoo.get(name)
        lines.append(f"| `{name}` | {stored(rule)} | {rule.defaults['lr']:g} | {rule.use} |")
    return lines


def entries() -> list[str]:
    """A Markdown definition of each rule: equation, source, note, defaults, and what the user has to give."""
    lines: list[str] = []
    for name in zoo.names():
        rule = zoo.get(name)
        defaults = ", ".join(f"`{key}={value}`" for key, value in rule.defaults.items())
        facts = f"{rule.source}. {rule.note} Defaults: {defaults}."
        if missing := rule.unpublished:
            facts += f" To be given: {len(missing)} coefficients, `{missing[0]}` to `{missing[-1]}`."
        facts += certified(rule)
        formula = SUMS.get(name) or rule.equation.latex()
        lines += [f"`{name}`", ": ```{math}", f"  {formula}", "  ```", "", f"  {facts}", ""]
    return lines


def certified(rule: zoo.Rule) -> str:
    """What a rule's certificate says in two sentences; nothing where it needs numbers from the user."""
    if rule.unpublished or {"ld", "cd"} & {variable.name for variable in rule.equation.variables}:
        return ""
    found = certificate(rule.name)
    said = f" Its largest step: {found.largest}."
    if found.linear is None or not found.stable or found.stable[0][0] > 0:
        return said
    it = "It" if found.linear.exact else "Among gradients of magnitude 1 and random sign, it"
    looks = f"looks back {found.tpf:.3g} steps on average and converges on quadratics"
    return f" {it} {looks} where lr x curvature is below {found.stable[0][1]:.4g}.{said}"


def stored(rule: zoo.Rule) -> int:
    """The numbers that `SymbolicOptimizer` stores for each parameter when it follows this rule."""
    size = 100
    parameter = torch.nn.Parameter(torch.ones(size))
    options: dict[str, Any] = dict.fromkeys(rule.unpublished, 1.0)
    if {"ld", "cd"} & {variable.name for variable in rule.equation.variables}:
        options["total_steps"] = 10
    optimizer = SymbolicOptimizer([parameter], rule.name, **options)
    parameter.grad = torch.ones(size)
    optimizer.step()
    tensors = [part for part in optimizer.state[parameter].values() if isinstance(part, torch.Tensor)]
    return sum(tensor.numel() for tensor in tensors) // size


def help_text(*command: str) -> str:
    """The text that `l2o COMMAND --help` prints, at a fixed width."""
    printed, before = io.StringIO(), os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(WIDTH)
    try:
        with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
            cli.main([*command, "--help"])
    finally:
        os.environ.pop("COLUMNS")
        if before is not None:
            os.environ["COLUMNS"] = before
    return printed.getvalue().rstrip()


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives with Sphinx."""
    app.add_directive("zoo", Zoo)
    app.add_directive("command", Command)
    app.add_directive("claims", Claims)
    return {"parallel_read_safe": True}
