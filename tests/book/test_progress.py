"""What is told while jobs run, in lines or in bars, and what their logs hold."""

from l2o_book import progress


def test_off_a_terminal_there_is_a_line_for_each_change_and_one_on_all_now_and_then():
    lines = []
    show = progress.Lines(lines.append, every=1e9)
    show.begin(2, "2 notebooks to run")
    show.cells("a", 0, 5)
    show.cells("a", 1, 5)
    show.cells("b", 0, 3)
    show.beat()
    show.every = 0
    show.beat()
    show.every = 1e9
    show.ended("a", "done in 3 s")
    assert lines[:3] == ["2 notebooks to run", "a: started", "b: started"]
    assert lines[3].startswith("a 1/5 cells · b 0/3 cells · 0 of 2 jobs done · ")
    assert lines[4:] == ["[1/2] a: done in 3 s"]


def test_on_a_terminal_there_are_bars(capsys):
    show = progress.Bars()
    show.begin(1, "1 notebook to run")
    show.cells("a", 0, 5)
    show.cells("a", 2, 5)
    assert show.bars["a"].n == 2
    show.beat()
    show.ended("a", "done in 3 s")
    assert list(show.bars) == [""]
    show.close()
    out, err = capsys.readouterr()
    assert out.splitlines() == ["1 notebook to run", "a: done in 3 s"]
    assert "1/1" in err


def test_a_log_holds_what_happened_and_what_was_printed(tmp_path):
    path = tmp_path / "logs" / "a.log"
    lines = []
    with progress.Reporter(progress.Lines(lines.append), {"a": path}) as tell:
        started = {"job": "a", "event": "started", "attempt": 1, "cells": 2, "host": "here"}
        tell.hear(started)
        tell.hear({"job": "a", "event": "output", "text": "half a "})
        tell.hear({"job": "a", "event": "output", "text": "line"})
        tell.hear({"job": "a", "event": "cell", "cell": 1, "cells": 2, "place": "a.py:7"})
        tell.hear({"job": "a", "event": "again", "reason": "it died"})
        tell.hear(started | {"attempt": 2})
        tell.hear(started | {"attempt": 1, "host": "there"})
        tell.ended("a", 3.2, None)
        tell.hear({"job": "a", "event": "cell", "cell": 2, "cells": 2, "place": "late"})
    assert [line.split(" ", 2)[-1] for line in path.read_text().splitlines()] == [
        "started on here: 2 cells",
        "line",
        "cell 1 of 2 done (a.py:7)",
        "it died; once more",
        "started on here: 2 cells",
        "started on there: 2 cells",
        "done in 3 s",
        "cell 2 of 2 done (late)",
    ]
    assert lines == [
        "a: started",
        "a: it died; once more",
        "a: started again on there; its worker died",
        "[1/0] a: done in 3 s",
    ]
