"""Which jobs there are, what each depends on, and where its results go."""

import ast
import json
from pathlib import Path

import pytest
from l2o_book import plan, profiles

from l2o_core.errors import ConfigError

SEEDED = """# %% tags=["parameters"]
profile = "quick"
show = "own"
number = 1
rate = 0.5
{seeds}

# %%
print(number)
"""


def key_of(small_book):
    (job,) = plan.plan(["first"], "quick")
    return job.key


def imported(source):
    """Modules of the book's package that some source imports."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.level or node.module.split(".")[0] == "l2o_book"):
            module = (node.module or "").removeprefix("l2o_book").strip(".")
            found |= {module} if module else {alias.name for alias in node.names}
    return found


def test_what_runs_notebooks_is_what_no_notebook_imports():
    """So that a change of it runs none of them again, and a change of anything else all that use it."""
    root = Path(__file__).parents[2]
    modules = {path.stem: path.read_text() for path in Path(plan.__file__).parent.glob("*.py")}
    reached, new = set(), set()
    for notebook in (root / "notebooks").glob("*.py"):
        new |= imported(notebook.read_text())
    while new:
        reached |= new
        new = {name for module in new for name in imported(modules[module])} - reached
    assert modules.keys() - reached - {"__init__"} == plan.RUNNER


def test_a_cluster_is_asked_for_the_same_runner_too(small_book, monkeypatch):
    keys = [plan.library_key(small_book.root, "quick", with_runner=w) for w in (False, True)]
    monkeypatch.setattr(plan, "RUNNER", set())
    assert plan.library_key(small_book.root, "quick") == keys[1] != keys[0]


def test_what_is_run_again_and_what_is_not(small_book):
    small_book("first")
    key = key_of(small_book)
    (small_book.root / "profiles" / "quick.yml").write_text("number: 2\nanother_notebook: 5\n")
    for folder in ("quick", "own", "standard/runs/first-0123"):
        (small_book.root / "results" / folder).mkdir(parents=True)
        (small_book.root / "results" / folder / "first.json").write_text("{}")
    assert key_of(small_book) == key, "neither other notebooks' parameters nor runs of one's own matter"
    for path, text in {
        "profiles/quick.yml": "number: 3\n",
        "constraints.txt": "torch==1\n",
        "book/published.yml": "{}\n",
        "results/standard/first.json": "{}\n",
        "notebooks/first.py": '# %% tags=["parameters"]\nprofile = "quick"\nnumber = 1\n',
    }.items():
        (small_book.root / path).parent.mkdir(exist_ok=True)
        (small_book.root / path).write_text(text)
        assert key_of(small_book) != key, path
        key = key_of(small_book)


def test_the_key_does_not_depend_on_where_the_checkout_is(small_book, tmp_path, monkeypatch):
    small_book("first")
    key = key_of(small_book)
    (tmp_path / "cli").mkdir()
    moved = tmp_path / "cli" / "moved"
    moved.mkdir()
    for path in small_book.root.iterdir():
        if path.name != "cli":
            path.rename(moved / path.name)
    monkeypatch.setenv("L2O_BOOK_ROOT", str(moved))
    assert key_of(small_book) == key


def test_parameters_come_from_profile_then_own_file_then_command_line(small_book):
    small_book("first")
    assert profiles.settings(small_book.root, "first", "quick", {}) == {"number": 2, "profile": "quick"}
    assert profiles.settings(small_book.root, "first", "paper", {}) == {"number": 9, "profile": "paper"}
    (small_book.root / "profiles" / "paper").mkdir()
    (small_book.root / "profiles" / "paper" / "first.yml").write_text("number: 10\nresources: {GPU: 1}\n")
    assert profiles.settings(small_book.root, "first", "paper", {})["number"] == 10
    assert profiles.settings(small_book.root, "first", "paper", {"number": 11})["number"] == 11
    (job,) = plan.plan([], "paper")
    assert job.resources == {"GPU": 1}
    (small_book.root / "profiles" / "paper" / "first.yml").write_text("resources: GPU\n")
    with pytest.raises(ConfigError, match="must be amounts such as"):
        plan.plan([], "paper")


def test_notebooks_are_in_the_order_of_the_table_of_contents(small_book):
    small_book("first")
    small_book("second")
    assert plan.notebooks(small_book.root) == ["second", "first"]


def test_pages_of_a_table_of_contents_are_in_reading_order():
    contents = {
        "root": "a",
        "parts": [{"chapters": [{"file": "b", "sections": [{"file": "c"}]}, {"file": "d"}]}],
    }
    assert plan.pages(contents) == ["a", "b", "c", "d"]


def test_a_run_with_other_parameters_than_its_profiles_has_a_place_of_its_own(small_book):
    small_book("first")
    root = small_book.root
    (usual,) = plan.plan([], "quick")
    (same,) = plan.plan([], "quick", {"number": 2})
    (other,) = plan.plan([], "quick", {"number": 3})
    assert (usual.label, plan.record_folder(root, usual)) == ("first", root / "results" / "quick")
    assert same == usual, "a parameter set to what it is anyway changes nothing"
    assert other.label.startswith("first-")
    assert other.changes == {"number": 3}
    assert plan.record_folder(root, other) == root / "results" / "quick" / "runs" / other.label
    assert plan.executed_path(root, other) != plan.executed_path(root, usual)


def test_a_page_with_changed_parameters_shows_its_own_run(small_book):
    small_book("first", source=SEEDED.format(seeds="seed = 0"))
    (small_book.root / "profiles" / "quick.yml").write_text("number: 2\nshow: recorded\n")
    shown = {"recorded": ({}, {"number": 2}), "own": ({"show": "own"}, {"number": 7})}
    for show, all_changes in shown.items():
        for changes in all_changes:
            (job,) = plan.plan([], "quick", changes)
            assert job.parameters["show"] == show
    (job,) = plan.plan([], "quick", {"show": "own"})
    assert not job.changes, "what is shown changes nothing in the record"
    (job,) = plan.plan([], "quick", {"number": 7, "show": "recorded"})
    assert job.parameters["show"] == "recorded"


def test_each_seed_is_a_job_of_its_own(small_book):
    small_book("first", source=SEEDED.format(seeds="seeds = [0]"))
    small_book("second", source=SEEDED.format(seeds="seed = 0"))
    jobs = plan.plan(["first", "second"], "quick", seeds=[0, 1, 1])
    assert [(job.name, dict(job.changes)) for job in jobs] == [
        ("first", {}),
        ("first", {"seeds": [1]}),
        ("second", {}),
        ("second", {"seed": 1}),
    ]
    assert [job.label for job in jobs] == ["first", "first-seed1", "second", "second-seed1"]
    (other,) = plan.plan(["second"], "quick", {"number": 7}, seeds=[1])
    (another,) = plan.plan(["second"], "quick", {"number": 8}, seeds=[1])
    assert other.label.startswith("second-seed1-")
    assert other.label != another.label
    assert len({plan.record_folder(small_book.root, job) / f"{job.name}.json" for job in jobs}) == 4


def test_seeds_must_have_somewhere_to_go(small_book):
    small_book("first")
    with pytest.raises(ConfigError, match="first has no parameter seed or seeds"):
        plan.plan([], "quick", seeds=[1])
    small_book("first", source=SEEDED.format(seeds="seeds = [0]"))
    with pytest.raises(ConfigError, match="both set the seeds"):
        plan.plan([], "quick", {"seeds": [3]}, seeds=[1])


def test_how_long_a_job_takes_is_known_from_its_last_run_or_from_a_record(small_book):
    small_book("first")
    (job,) = plan.plan([], "quick")
    assert plan.expected_seconds(small_book.root, job) == float("inf"), "what is not known goes first"
    (small_book.root / "results" / "standard").mkdir()
    (small_book.root / "results" / "standard" / "first.json").write_text('{"wall_time_s": 40}')
    assert plan.expected_seconds(small_book.root, job) == 40
    path = plan.executed_path(small_book.root, job)
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"metadata": {"l2o": {"seconds": 3.5}}}))
    assert plan.expected_seconds(small_book.root, job) == 3.5


@pytest.mark.parametrize("text", ["- a list", "number: [", "number: !!python/object:os.system {}"])
def test_a_damaged_profile_is_refused(small_book, text):
    small_book("first")
    (small_book.root / "profiles" / "quick.yml").write_text(text)
    with pytest.raises(ConfigError, match=r"quick\.yml"):
        plan.plan([], "quick")


def test_parameters_must_be_plain_literals(small_book):
    small_book("first", source='# %% tags=["parameters"]\nnumber = max(1, 2)\n')
    with pytest.raises(ConfigError, match="plain assignments"):
        plan.plan([], "quick")


def test_parameters_may_be_annotated_and_commented():
    source = '# %% tags=["parameters"]\na: int = 1  # one\nb = [0.5, -1]\nc = None\n'
    assert profiles.defaults(source) == {"a": 1, "b": [0.5, -1], "c": None}
    assert profiles.defaults("# %%\na = 1\n") == {}


@pytest.mark.parametrize(
    ("value", "default", "result"),
    [
        (3, 1, 3),
        (3, 1.5, 3.0),
        ("1e-3", 1.5, 0.001),
        ([1, 2], [0], [1, 2]),
        ([1, 0.5], [0.1], [1.0, 0.5]),
        ([], ["a"], []),
        (["a", 1], [], ["a", 1]),
        ({"a": 1}, {}, {"a": 1}),
        ("any", None, "any"),
        (False, True, False),
    ],
)
def test_a_value_takes_the_type_of_the_default(value, default, result):
    found = profiles.fitted(value, default)
    assert (found, type(found)) == (result, type(result))


@pytest.mark.parametrize(
    ("value", "default", "message"),
    [
        (3, [0], r"takes a list such as \[0\], not 3"),
        ([3], 0, r"takes an integer such as 0, not \[3\]"),
        (True, 0, "takes an integer"),
        (1, True, "takes true or false"),
        ("many", 0.5, "takes a number such as 0.5, not 'many'"),
        (0.5, 1, "takes an integer"),
        (["p1", 2], ["p1"], "takes text such as 'p1', not 2"),
        (None, "cpu", "takes text"),
    ],
)
def test_a_value_of_another_type_is_refused(value, default, message):
    with pytest.raises(ConfigError, match=message):
        profiles.fitted(value, default)
