"""`l2o discover`: a front, a comparison with Adam, and one clear line for bad input."""

import pytest

from l2o_core.cli import main
from l2o_core.discovery import search
from l2o_core.distiller import ParetoFront

QUICK = ["--steps", "5", "--instances", "1", "--starts", "3", "--max-complexity", "8", "--time", "1"]


@pytest.fixture(autouse=True)
def few_trials(monkeypatch):
    monkeypatch.setattr(search, "TRIALS", 6)


def test_a_front_and_a_comparison(tmp_path, capsys):
    file = tmp_path / "front.json"
    assert main(["discover", "p1", *QUICK, "--out", str(file)]) == 0
    text = capsys.readouterr().out
    front = ParetoFront.load(file)
    assert f"the best rule: {front.best.equation}" in text
    assert front.best.complexity <= 8
    assert "Adam, tuned with 18 trials: lr " in text
    assert "p1, 3 fresh starts of 5 steps:" in text
    assert text.count("difference") == 2
    assert "rules tried in" in text
    assert main(["discover", "p1", *QUICK, "--start", str(file)]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["p22"], "unknown task 'p22'; did you mean 'p2'?"),
        (["p1", "--time", "0"], "--time must be a positive number of seconds, not 0"),
        (["p1", "--starts", "1"], "--starts must be 2 or more, not 1"),
        (["p1", "--max-complexity", "0"], "--max-complexity must be 1 or more, not 0"),
        (["p1", "--out", "front.csv"], "front.csv: the name must end in one of .json"),
        (
            ["p1", "--out", "nowhere/front.json"],
            "nowhere/front.json: there is no folder",
        ),
    ],
)
def test_bad_input_is_one_clear_line(arguments, message, capsys):
    assert main(["discover", *arguments]) == 2
    assert capsys.readouterr().err.startswith(f"l2o: {message}")


def test_stopped_in_the_comparison_it_is_one_line(monkeypatch, capsys):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("l2o_core.discovery.tuned_adam", stopped)
    assert main(["discover", "p1", *QUICK]) == 130
    assert capsys.readouterr().err == "l2o: stopped\n"
