"""PySR's side of the contract, with Julia stubbed; its files, its failures and its interruption."""

import itertools
import json
import os
import select
import subprocess
import sys
import textwrap
import time
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from l2o_core import distiller
from l2o_core.distiller.engines import pysr
from l2o_core.distiller.engines.pysr import BINARY, JULIA, SEARCH, UNARY, PySR
from l2o_core.errors import ConfigError, DataError, EngineError
from l2o_core.expressions import parse

NAMES = ["g[0]", "g[1]"]

STUB_JULIA = """
from unittest.mock import MagicMock

def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return type(name, (), {}) if name.endswith("Value") else MagicMock()
"""

STUB_PYSR = """
import json, os, signal
from pathlib import Path

class PySRRegressor:
    def __init__(self, *, output_directory, run_id, extra_sympy_mappings, **settings):
        self.folder = Path(output_directory) / run_id
        self.settings = settings

    def fit(self, X, y, variable_names):
        self.folder.mkdir()
        lines = ["Complexity,Loss,Equation", "1,0.5,x0"]
        lines.append('9,0.1,"0.7f0 * safe_div(x0, signed_sqrt(x1)) + 0.3 * x1"')
        (self.folder / "hall_of_fame.csv").write_text("\\n".join(lines))
        {after}
"""


BROKEN_PYSR = STUB_PYSR.replace("self.folder.mkdir()", "raise ValueError('odd')").format(after="pass")


@pytest.fixture
def rows():
    X = np.random.default_rng(0).normal(size=(400, 2))
    return X, 0.7 * X[:, 0] / np.sign(X[:, 1]) / np.sqrt(np.abs(X[:, 1])) + X[:, 1]


@pytest.fixture
def stub(tmp_path, monkeypatch):
    """Puts a module of that name and text before the real one, for child processes."""

    def install(name, text):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(textwrap.dedent(text))
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    return install


def test_every_setting_is_an_argument_of_the_installed_pysr(stub):
    stub("juliacall", STUB_JULIA)
    program = """if True:
        import inspect, json
        from pysr import PySRRegressor
        print(json.dumps([*inspect.signature(PySRRegressor).parameters]))
        print(json.dumps([*inspect.signature(PySRRegressor.fit).parameters]))"""
    got = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    known, fit = map(json.loads, got.stdout.splitlines()[-2:])
    settings = PySR(deterministic=True, options={"batching": True}).settings(100, 60.0, 0)
    assert {*settings, "output_directory", "run_id", "extra_sympy_mappings"} <= set(known)
    assert "variable_names" in fit


def test_the_papers_settings_are_the_default():
    settings = PySR().settings(100, 60.0, 3)
    assert (settings["niterations"], settings["populations"], PySR().rows) == (300, 200, 5000)
    assert (settings["maxsize"], settings["population_size"]) == (200, 27)
    assert (settings["batching"], settings["annealing"], settings["crossover_probability"]) == (
        False,
        False,
        0.0259,
    )
    assert settings["random_state"] == 3
    assert PySR(options={"niterations": 5}).settings(100, 60.0, 0)["niterations"] == 5
    assert PySR(maxsize=50).settings(100, 60.0, 0)["maxsize"] == 100
    assert set(SEARCH) <= set(settings)


@pytest.mark.parametrize("name", [*BINARY, *UNARY])
def test_every_operator_of_the_paper_is_offered_and_read_back(name, tmp_path):
    call = "x0, x1" if name in BINARY else "x0"
    text = f"x0 {name} x1" if name in "+-*" else f"{name}({call})"
    (equation,) = distiller.read_hall_of_fame(write(tmp_path / "hof.csv", text))
    assert equation.complexity == len(equation.variables) + 1
    assert JULIA.get(name, f"{name}(").startswith(f"{name}(")


def test_a_search_goes_there_and_back(stub, rows):
    stub("pysr", STUB_PYSR.format(after="pass"))
    front = distiller.distill(*rows, NAMES, engine="pysr", time_limit=5)
    assert front.engine == "pysr"
    assert sorted(str(v) for v in front.best.equation.variables) == NAMES
    assert front.best.r2 > 0.999


def test_stopped_by_hand_it_keeps_the_hall_of_fame_and_ends_the_process(stub, rows, tmp_path, monkeypatch):
    """The stub says in a pipe that its file is whole; the search then reads it, and is interrupted."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDWR)  # so that neither end waits for the other to open it
    stub("pysr", STUB_PYSR.format(after=f"Path({str(pipe)!r}).write_text(str(os.getpid())); signal.pause()"))
    processes = []

    def interrupted(seconds):
        if processes:
            raise KeyboardInterrupt
        assert select.select([reader], [], [], 300)[0], "the stub wrote nothing"
        processes.append(int(os.read(reader, 99)))

    monkeypatch.setattr(pysr, "time", SimpleNamespace(sleep=interrupted, monotonic=time.monotonic))
    front = distiller.distill(*rows, NAMES, engine="pysr", time_limit=60)
    assert "stopped by hand" in front.notes[-1]
    assert len(front) > 1
    with pytest.raises(ProcessLookupError):
        os.kill(processes[0], 0)
    os.close(reader)


def test_a_process_that_never_ends_is_ended(stub, rows, monkeypatch):
    stub("pysr", "import signal\nsignal.pause()")
    clock = itertools.count(step=100.0)
    monkeypatch.setattr(pysr, "time", SimpleNamespace(sleep=lambda _: None, monotonic=lambda: next(clock)))
    with pytest.raises(EngineError, match="PySR wrote no equation within 900 s of its start"):
        distiller.distill(*rows, NAMES, engine="pysr", time_limit=60)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("raise RuntimeError('no registry')", r"needs Julia, which PySR fetches by itself .*no registry"),
        (BROKEN_PYSR, "PySR failed: ValueError: odd"),
    ],
)
def test_failures_are_one_clear_sentence(stub, rows, text, message):
    stub("pysr", text)
    with pytest.raises(EngineError, match=message):
        distiller.distill(*rows, NAMES, engine="pysr", time_limit=2)


def write(path, *equations):
    lines = [f'{i + 1},0.1,"{equation}"' for i, equation in enumerate(equations)]
    path.write_text("\n".join(["Complexity,Loss,Equation", *lines]))
    return path


def test_a_hall_of_fame_of_others_is_imported_and_measured(tmp_path):
    X = np.random.default_rng(0).normal(size=(300, 2))
    path = write(tmp_path / "hof.csv", "x0", "inv(x1) * 2.0", "x0 - (0.5f0 * cube(x1))")
    front = distiller.import_pysr(path, X, X[:, 0] - 0.5 * X[:, 1] ** 3, NAMES)
    assert front.best.r2 == pytest.approx(1)
    assert front.engine == "pysr"
    two = distiller.read_hall_of_fame(path, NAMES)[1]
    assert two.evaluate({"g[1]": torch.tensor([4.0])}).item() == 0.5


@pytest.mark.parametrize(
    ("equation", "message"),
    [
        ("x0 ^ 0.5", "no whole number"),
        ("x0 ^ x1", "no whole number"),
        ("gamma(x0)", "unknown function 'gamma'"),
        ("__import__('os')", "unknown function '__import__'"),
    ],
)
def test_what_cannot_be_said_here_is_refused(tmp_path, equation, message):
    with pytest.raises(DataError, match=message):
        distiller.read_hall_of_fame(write(tmp_path / "hof.csv", equation))


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "Complexity,Loss,Equation\n"])
def test_a_file_that_is_no_hall_of_fame_is_refused(tmp_path, text):
    (tmp_path / "hof.csv").write_text(text)
    with pytest.raises(DataError, match=r"hof\.csv"):
        distiller.read_hall_of_fame(tmp_path / "hof.csv")


def test_old_files_have_bars_and_new_ones_a_mark(tmp_path):
    path = tmp_path / "hof.csv"
    path.write_text("Complexity|MSE|Equation\n3|0.1|pow(x0, x1)\n")
    assert distiller.read_hall_of_fame(path) == [parse("pow(x0, x1)")]
    path.write_text('\ufeffComplexity,Loss,Equation\r\n3,0.1,"max(x0, 1.0f-2)"\r\n\r\n', encoding="utf-8")
    assert distiller.read_hall_of_fame(path) == [parse("max(x0, 0.01)")]


@pytest.mark.parametrize(
    ("text", "value"), [("x0 ^ 3", -8), ("x0 ^ 4", 16), ("x0 ^ 2", 4), ("2 * x0 ^ -1", -1)]
)
def test_whole_powers_are_julias(tmp_path, text, value):
    (power,) = distiller.read_hall_of_fame(write(tmp_path / "hof.csv", text))
    assert power.evaluate({"x0": torch.tensor([-2.0])}).item() == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("signed_pow(x0, 2.0)", -4),
        ("signed_pow(x0, 2.0) + x0 ^ 2", 0),
        ("signed_pow(x0 ^ 2, 0.5) - signed_pow(x0, 0.5)", 2 + 2**0.5),
        ("signed_pow(signed_pow(x0, 2.0), x0 ^ 2)", -256),
    ],
)
def test_a_signed_power_stays_one_beside_powers_of_julia(tmp_path, text, value):
    (power,) = distiller.read_hall_of_fame(write(tmp_path / "hof.csv", text))
    assert power.evaluate({"x0": torch.tensor(-2.0)}).item() == pytest.approx(value)
    assert "e-324" not in str(power)


def test_only_the_lines_that_cannot_be_read_are_lost(tmp_path):
    path = write(tmp_path / "hof.csv", "x0", "x0 ^ 0.5", "gamma(x0)", "x1 * 2.0", "x7 + x0", "x0 + 0.53 * x1")
    path.write_text(path.read_text()[:-5])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert distiller.read_hall_of_fame(path, NAMES) == [parse("g[0]"), parse("g[1] * 2")]
    notes = [str(warning.message) for warning in caught]
    assert [note.split(" is left out")[0] for note in notes] == [f"hof.csv, line {i}," for i in (3, 4, 7, 6)]
    X = np.random.default_rng(0).normal(size=(300, 2))
    front = distiller.import_pysr(path, X, 2 * X[:, 1], NAMES)
    assert front.best.r2 == pytest.approx(1)
    assert [note in front.notes for note in notes] == [True] * 4


def test_a_byte_of_another_encoding_costs_one_line(tmp_path):
    path = write(tmp_path / "hof.csv", "x0", "x0 + \N{MICRO SIGN}1", "x1 * 2.0")
    path.write_bytes(path.read_text().encode("latin-1"))
    with pytest.warns(UserWarning, match=r"hof\.csv, line 3, is left out"):
        assert distiller.read_hall_of_fame(path, NAMES) == [parse("g[0]"), parse("g[1] * 2")]


def test_an_equation_that_grows_too_large_is_left_out_alone(tmp_path):
    large = " + ".join(["x0"] * 4000)
    path = write(tmp_path / "hof.csv", large, "x0 * 2.0")
    X = np.random.default_rng(0).normal(size=(300, 2))
    front = distiller.import_pysr(path, X, 2 * X[:, 0])
    assert front.best.r2 == pytest.approx(1)
    assert "an equation of 7999 nodes is left out" in front.notes[-1]
    start = [parse(large), parse("x0 * 2")]
    assert "7999 nodes is left out" in distiller.distill(X, X[:, 0], engine="linear", start=start).notes[-1]


DATA = np.random.default_rng(0).normal(size=(300, 3))


@pytest.mark.parametrize(
    ("equation", "names", "X"),
    [
        ("x1 + (x2 * 2.0)", ["x1", "x2", "x3"], DATA),
        ("x1 + (x0 * 2.0)", ["x1", "x0", "x2"], DATA),
        ("a_b + (log_ * 2.0)", ["a b", "log", "c"], DATA),
        ("x0 + (x1 * 2.0)", ["a", "b", "c"], DATA),
        ("x3 + (x1 * 2.0)", None, np.column_stack([DATA, DATA[:, 0]])),
        ("d + (b * 2.0)", list("abcd"), np.column_stack([DATA, DATA[:, 0]])),
        ("x0 + (x1 * 2.0) + (x3 * 3.0) - 3.0", None, np.column_stack([DATA, np.ones(300)])),
    ],
)
def test_a_variable_of_a_file_is_the_column_that_it_names(tmp_path, equation, names, X):
    path = write(tmp_path / "hof.csv", equation)
    front = distiller.import_pysr(path, X, DATA[:, 0] + 2 * DATA[:, 1], names)
    assert front.best.r2 == pytest.approx(1)


def test_what_can_be_read_two_ways_is_refused_until_one_is_chosen(tmp_path):
    path, names = write(tmp_path / "hof.csv", "x0 + (x1 * 2.0)", "x1"), ["a", "x1", "x2"]
    with pytest.raises(DataError, match="x1 may be names of your columns or, as PySR counts them, positions"):
        distiller.read_hall_of_fame(path, names)
    assert distiller.read_hall_of_fame(path, names, "positions")[0] == parse("a + x1 * 2")
    with pytest.warns(UserWarning, match="there is no column x0"):
        assert distiller.read_hall_of_fame(path, names, "names") == [parse("x1")]
    with pytest.raises(ConfigError, match="must be one of guess, names, positions"):
        distiller.read_hall_of_fame(path, names, "other")
