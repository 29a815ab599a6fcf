"""Notebooks run at the scale of a profile, once, and a failure stays its own."""

import nbformat
import pytest
from l2o_book import profiles, reproduce

from l2o_core.cli import main
from l2o_core.errors import ConfigError

# Kernels and zmq warn about their own shutdown; a test of ours is not the place to fix that.
pytestmark = pytest.mark.filterwarnings("ignore")


def printed(run):
    cells = nbformat.read(run.path, as_version=4).cells
    return "".join(output.get("text", "") for cell in cells for output in cell.get("outputs", []))


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


def test_a_failure_says_where_and_does_not_stop_the_others(small_book, capsys):
    small_book("first", body="number / 0")
    small_book("second")
    assert main(["reproduce"]) == 1
    text = capsys.readouterr().out
    assert "FAILED in first.py:9: ZeroDivisionError: division by zero" in text
    assert "1 of 2 notebooks are fine" in text
    folder = small_book.root / "book" / "_build" / "executed" / "quick"
    assert sorted(path.name for path in folder.iterdir()) == ["first.failed.ipynb", "second.ipynb"]


def test_a_kernel_that_dies_is_a_failure_like_any_other(small_book):
    small_book("first", body="import os; os._exit(3)")
    (run,) = reproduce.execute(["first"], "quick")
    assert "DeadKernelError" in run.failure


def key_of(small_book, name="first", profile="quick", **parameters):
    settings = profiles.settings(small_book.root, name, profile, parameters)
    source = (small_book.root / "notebooks" / f"{name}.py").read_text()
    return reproduce._digest(reproduce._library_key(small_book.root, profile), source, str(settings))


def test_what_is_run_again_and_what_is_not(small_book):
    small_book("first")
    key = key_of(small_book)
    (small_book.root / "profiles" / "quick.yml").write_text("number: 2\nanother_notebook: 5\n")
    (small_book.root / "results" / "quick").mkdir()
    (small_book.root / "results" / "quick" / "first.json").write_text("{}")
    assert key_of(small_book) == key, "neither other notebooks' parameters nor the run's own record matter"
    for path, text in {
        "profiles/quick.yml": "number: 3\n",
        "constraints.txt": "torch==1\n",
        "book/published.yml": "{}\n",
        "results/standard/first.json": "{}\n",
        "notebooks/first.py": "# %%\n",
    }.items():
        (small_book.root / path).parent.mkdir(exist_ok=True)
        (small_book.root / path).write_text(text)
        assert key_of(small_book) != key, path
        key = key_of(small_book)


def test_parameters_come_from_profile_then_own_file_then_command_line(small_book):
    small_book("first")
    assert profiles.settings(small_book.root, "first", "quick", {}) == {"number": 2, "profile": "quick"}
    assert profiles.settings(small_book.root, "first", "paper", {}) == {"number": 9, "profile": "paper"}
    (small_book.root / "profiles" / "paper").mkdir()
    (small_book.root / "profiles" / "paper" / "first.yml").write_text("number: 10\n")
    assert profiles.settings(small_book.root, "first", "paper", {})["number"] == 10
    assert profiles.settings(small_book.root, "first", "paper", {"number": 11})["number"] == 11


def test_notebooks_run_in_the_order_of_the_table_of_contents(small_book):
    small_book("first")
    small_book("second")
    assert reproduce.notebooks(small_book.root) == ["second", "first"]


def test_pages_of_a_table_of_contents_are_in_reading_order():
    contents = {
        "root": "a",
        "parts": [{"chapters": [{"file": "b", "sections": [{"file": "c"}]}, {"file": "d"}]}],
    }
    assert reproduce.pages(contents) == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "no notebook 'nothing' in .*; there are: first"),
        (["--profile", "huge"], "no profile 'huge' in .*; there are: paper, quick"),
        (["--parameter", "typo=1"], "no parameter 'typo' in first"),
        (["--parameter", "number"], "takes K=V"),
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


@pytest.mark.parametrize("text", ["- a list", "number: [", "number: !!python/object:os.system {}"])
def test_a_damaged_profile_is_refused(small_book, text):
    small_book("first")
    (small_book.root / "profiles" / "quick.yml").write_text(text)
    with pytest.raises(ConfigError, match=r"quick\.yml"):
        reproduce.execute([], "quick")


def test_parameters_must_be_plain_literals(small_book):
    small_book("first", source='# %% tags=["parameters"]\nnumber = max(1, 2)\n')
    with pytest.raises(ConfigError, match="plain assignments"):
        reproduce.execute([], "quick")


def test_parameters_may_be_annotated_and_commented():
    source = '# %% tags=["parameters"]\na: int = 1  # one\nb = [0.5, -1]\nc = None\n'
    assert profiles.defaults(source) == {"a": 1, "b": [0.5, -1], "c": None}
    assert profiles.defaults("# %%\na = 1\n") == {}
