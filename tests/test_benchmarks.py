"""The benchmark of meta-training runs on what comes with the installation."""

import json
import runpy
import sys
from pathlib import Path

import pytest
import torch

FOLDER = Path(__file__).parents[1] / "benchmarks"
PROGRAM = str(Path(__file__).parents[1] / "benchmarks" / "meta_training.py")


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """No data set but digits; threads as they were."""
    monkeypatch.setenv("L2O_DATA_ROOT", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def test_without_mnist_digits_are_measured_and_that_is_said(bare, monkeypatch, capsys):
    def run(command, **options):
        problem, name, how, fraction, _ = json.loads(command[-1])
        ran.append((problem, name, how, fraction))
        answer = json.dumps({"rate": 1.0, "memory": 1.0, "first": 1.0})
        return type("Result", (), {"returncode": 0, "stdout": answer})

    ran = []
    monkeypatch.setattr("subprocess.run", run)
    monkeypatch.setattr(sys, "argv", [PROGRAM, "--models", "RPSmall", "--resnet"])
    runpy.run_path(PROGRAM, run_name="__main__")
    assert {problem for problem, *_ in ran} == {"digits", "p1"}
    printed = capsys.readouterr().out
    assert "MNIST not found" in printed
    assert "CIFAR10 not found" in printed
    assert "measured on digits, a stand-in" in printed


@pytest.mark.parametrize("how", ["published", "adjoint", "float16 state"])
def test_every_line_can_be_measured_on_digits(bare, how):
    measured = runpy.run_path(PROGRAM)["measure"]("digits", "RPSmall", how, 0.1, 1)
    assert measured["rate"] > 0


def test_damaged_files_of_all_kinds_end_in_errors_of_ours(bare, tmp_path, monkeypatch):
    for name in ("L2O_BOOK_ROOT", "L2O_DATA_ROOT", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))  # so that they are put back
    program = runpy.run_path(str(FOLDER / "damaged_files.py"), run_name="damaged_files")
    for kind, found in program["campaign"](tmp_path, files=40, seconds=60, seed=5):
        assert found.bare == [], kind
        assert found.refused > 0, kind
