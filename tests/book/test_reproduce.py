"""Notebooks run at the scale of a profile, once, side by side, and a failure stays its own."""

import json
import signal
import subprocess
import sys

import nbformat
import pytest
from l2o_book import jobs, plan, progress, reproduce

from l2o_core.cli import main
from l2o_core.errors import ConfigError

# Kernels and zmq warn about their own shutdown; a test of ours is not the place to fix that.
pytestmark = pytest.mark.filterwarnings("ignore")

RECORD = """
import json, os, pathlib
folder = pathlib.Path(os.environ["L2O_RECORD_DIR"])
folder.mkdir(parents=True, exist_ok=True)
(folder / "{title}.json").write_text(json.dumps({{"number": number}}))
"""


def printed(run):
    cells = nbformat.read(run.path, as_version=4).cells
    return "".join(output.get("text", "") for cell in cells for output in cell.get("outputs", []))


def record(book, name="first", folder="quick"):
    return json.loads((book.root / "results" / folder / f"{name}.json").read_text())


def test_a_notebook_runs_once_and_again_only_when_something_it_depends_on_changes(small_book):
    small_book("first")
    (run,) = reproduce.execute(["first"], "quick")
    assert (printed(run), run.cached, run.failure) == ("2\n", False, None)
    (again,) = reproduce.execute(["first"], "quick")
    assert (again.path, again.seconds, again.cached) == (run.path, run.seconds, True)
    (small_book.root / "results" / "standard").mkdir()
    (small_book.root / "results" / "standard" / "first.json").write_text("{}")
    (changed,) = reproduce.execute(["first"], "quick", parameters={"number": 7})
    assert (printed(changed), changed.cached) == ("7\n", False)


def test_a_record_is_only_replaced_by_the_same_run_and_missed_when_it_is_not(small_book):
    small_book("first", body=RECORD.format(title="first"))
    reproduce.execute(["first"], "quick")
    assert record(small_book) == {"number": 2}
    (other,) = reproduce.execute(["first"], "quick", parameters={"number": 7})
    assert record(small_book) == {"number": 2}
    assert record(small_book, folder=f"quick/runs/{other.label}") == {"number": 7}
    (again,) = reproduce.execute(["first"], "quick")
    assert again.cached
    (small_book.root / "results" / "quick" / "first.json").write_text('{"number": 5}')
    (again,) = reproduce.execute(["first"], "quick")
    assert not again.cached, "the record that is there is not this run's"
    assert record(small_book) == {"number": 2}


def test_an_executed_notebook_that_was_changed_or_damaged_is_run_again(small_book):
    small_book("first")
    (run,) = reproduce.execute([], "quick")
    for damage in (lambda text: text[:-40], lambda text: text.replace("print", "pront"), lambda text: "[1]"):
        whole = run.path.read_text()
        run.path.write_text(damage(whole))
        assert not reproduce.execute([], "quick")[0].cached
    assert reproduce.execute([], "quick")[0].cached


def test_a_failed_run_leaves_the_record_of_the_last_good_one(small_book):
    small_book("first", body=RECORD.format(title="first"))
    reproduce.execute(["first"], "quick")
    small_book("first", body=RECORD.format(title="first").replace('"number"', '"broken"') + "\nnumber / 0")
    (run,) = reproduce.execute(["first"], "quick")
    assert run.failure
    assert record(small_book) == {"number": 2}


def test_a_failure_says_where_and_does_not_stop_the_others(small_book, capsys):
    small_book("first", body="print('so far')\nnumber / 0")
    small_book("second")
    assert main(["reproduce", "--jobs", "2"]) == 1
    text = capsys.readouterr().out
    assert "FAILED in first.py:9: ZeroDivisionError: division by zero" in text
    assert "1 of 2 notebooks are fine" in text
    folder = small_book.root / "book" / "_build"
    log = folder / "logs" / "quick" / "first.log"
    assert f"log: {log}" in text
    assert "so far\n" in log.read_text()
    assert sorted(path.name for path in (folder / "executed" / "quick").iterdir()) == [
        "first.failed.ipynb",
        "second.ipynb",
    ]


def test_a_kernel_that_dies_is_given_another_chance_and_is_then_a_failure_like_any_other(small_book):
    small_book("first", body="import os; os._exit(3)")
    lines = []
    (run,) = reproduce.execute(["first"], "quick", show=progress.Lines(lines.append))
    assert "in first.py:9: DeadKernelError" in run.failure
    assert run.attempts == 2
    assert sum(line.endswith("once more") for line in lines) == 1


def test_a_kernel_that_dies_once_costs_nothing_but_time(small_book):
    mark = small_book.root / "tried"
    body = f"""
import os, pathlib
if not (mark := pathlib.Path('{mark}')).exists():
    mark.touch()
    os._exit(3)
print('fine')
"""
    small_book("first", body=body)
    (run,) = reproduce.execute(["first"], "quick")
    assert (printed(run), run.failure, run.attempts) == ("fine\n", None, 2)


def test_every_kernel_has_one_thread_and_the_notebooks_folder(small_book):
    small_book("first", body="import os; print(os.environ['OMP_NUM_THREADS'], os.getcwd())")
    (run,) = reproduce.execute(["first"], "quick")
    assert printed(run) == f"1 {small_book.root / 'notebooks'}\n"


def test_the_longest_notebook_begins_first_and_the_summary_is_in_reading_order(small_book):
    for name, seconds in (("first", 5), ("second", 9), ("third", 7)):
        small_book(name)
        (small_book.root / "results" / "quick").mkdir(exist_ok=True)
        (small_book.root / "results" / "quick" / f"{name}.json").write_text(f'{{"wall_time_s": {seconds}}}')
    lines = []
    runs = reproduce.execute([], "quick", jobs=1, show=progress.Lines(lines.append))
    assert [run.name for run in runs] == ["second", "first", "third"]
    assert [line.split(":")[0] for line in lines if line.endswith("started")] == ["second", "third", "first"]


def test_stopped_by_hand_it_ends_its_kernels_and_keeps_what_is_finished(small_book):
    small_book("first", body="print('done')")
    small_book("second", body="while True: pass")

    class Interrupted(progress.Quiet):
        def ended(self, label, text):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reproduce.execute([], "quick", jobs=2, show=Interrupted())
    (run,) = reproduce.execute(["first"], "quick")
    assert run.cached


def test_killed_it_goes_on_where_it_was(small_book):
    mark = small_book.root / "tried"
    finished = small_book.root / "book" / "_build" / "executed" / "quick" / "second.ipynb"
    body = f"""
import os, pathlib, signal, time
if not (mark := pathlib.Path('{mark}')).exists():
    mark.touch()
    while not pathlib.Path('{finished}').exists():  # it appears whole
        time.sleep(0.01)
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)
"""
    small_book("first", body=body)
    small_book("second")
    code = "from l2o_core.cli import main; main(['reproduce', '--jobs', '1'])"
    killed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL
    first, second = sorted(reproduce.execute([], "quick"), key=lambda run: run.name)
    assert (first.failure, first.cached, second.cached) == (None, False, True)


def test_a_stopped_job_ends_at_once_and_is_not_tried_again(small_book):
    small_book("first", body="while True: pass")
    (job,) = plan.plan([], "quick")
    events = []

    def report(event):
        events.append(event)
        if event["event"] == "cell":
            jobs.stop("some jobs")

    outcome = jobs.run(job, small_book.root, report, "some jobs")
    assert "DeadKernelError" in outcome.failure
    assert [event["event"] for event in events] == ["started", "cell"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "no notebook 'nothing' in .*; known: first"),
        (["frist"], "no notebook 'frist' in .*; did you mean 'first'?"),
        (["--profile", "huge"], "no profile 'huge' in .*; known: paper, quick"),
        (["--profile", "quik"], "no profile 'quik' in .*; did you mean 'quick'?"),
        (["--parameter", "typo=1"], "no parameter 'typo' in first; known: profile, number"),
        (["--parameter", "numbr=1"], "no parameter 'numbr' in first; did you mean 'number'?"),
        (["--parameter", "number"], "takes K=V"),
        (["--parameter", "number=["], "not valid YAML"),
        (["--parameter", "number=many"], "first: parameter 'number' takes an integer such as 1, not 'many'"),
        (["--jobs", "0"], "--jobs must be at least 1, not 0"),
        (["--jobs", "2", "--scheduler", "tcp://127.0.0.1:1"], "--jobs is for this machine"),
    ],
)
def test_what_does_not_exist_is_one_clear_line_before_anything_runs(small_book, capsys, arguments, message):
    small_book("first")
    assert main(["reproduce", *arguments]) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    with pytest.raises(ConfigError, match=message):
        raise ConfigError(error)
    assert not (small_book.root / "book" / "_build").exists()


@pytest.mark.parametrize("first", ["l2o_book.kernel", "papermill"])
def test_the_engine_is_known_to_papermill_whichever_is_imported_first(first):
    """papermill imports the module of the engine while it is itself imported."""
    code = (
        f"import {first}; from papermill.engines import papermill_engines as known; known.get_engine('l2o')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
