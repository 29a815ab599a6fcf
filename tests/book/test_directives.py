"""What the pages print of the library: rules with what they cost, commands with their help."""

import re
from pathlib import Path

import pytest
from l2o_book import directives

from l2o_core.optim import zoo

PAGES = Path(directives.__file__).parents[1]


@pytest.mark.parametrize(
    ("rule", "numbers"), [("sgd", 0), ("adam", 2), ("powsign_ld", 1), ("syml2o_eq6", 61)]
)
def test_memory_is_counted_in_numbers_per_parameter(rule, numbers):
    assert directives.stored(zoo.get(rule)) == numbers


def test_every_rule_of_the_zoo_is_in_the_table_and_among_the_equations():
    for lines in (directives.table(), directives.entries()):
        assert all(any(f"`{name}`" in line for line in lines) for name in zoo.names())


def test_every_command_has_its_help_on_the_page_of_commands():
    commands = re.findall(r"^    (\w+)\b", directives.help_text(), re.MULTILINE)
    page = (PAGES / "api" / "commands.md").read_text()
    assert {*commands} == {*re.findall(r"^```\{command\} (\w+)$", page, re.MULTILINE)}
    for command in commands:
        assert directives.help_text(command).startswith(f"usage: l2o {command} ")


def test_what_a_certificate_says_stands_with_its_rule():
    assert directives.certified(zoo.get("momentum")) == (
        " It looks back 9 steps on average and converges on quadratics where lr x curvature is below 3.8."
        " Its largest step: grows with the gradient."
    )
    assert directives.certified(zoo.get("adam")).startswith(" Among gradients of magnitude 1 and random sign")
    assert directives.certified(zoo.get("lion")) == " Its largest step: 1 x lr, whatever the gradients."
    assert directives.certified(zoo.get("powsign_ld")) == ""
