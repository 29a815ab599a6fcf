"""A small part of the campaign of benchmarks/odd_texts.py."""

import runpy
import sys
from pathlib import Path

PROGRAM = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "odd_texts.py"))


def test_no_text_does_harm():
    faults = [(text, wrong) for text in PROGRAM["texts"](1, 1500) if (wrong := PROGRAM["fault"](text, False))]
    assert faults == []


def test_sympy_has_the_same_values():
    faults = [(text, wrong) for text in PROGRAM["texts"](2, 60) if (wrong := PROGRAM["fault"](text))]
    assert faults == []


def test_text_is_never_executed():
    PROGRAM["load_everything"]()
    events, listening = [], True
    sys.addaudithook(lambda event, arguments: events.append(event) if listening else None)
    compile("1", "", "eval")
    assert events.pop() == "compile"  # the watchman is awake
    for text in (
        "__import__('os').system('true')",
        "exec('1')",
        "x.__class__",
        "(lambda: 1)()",
        "x^2 + tanh(y)",
    ):
        PROGRAM["fault"](text, False)
    listening = False
    assert not {*events} & {*PROGRAM["FORBIDDEN"]}
