"""The same jobs on a Dask cluster: the same records, and every misfit one clear sentence."""

import json
import os

import pytest
from l2o_book import plan, progress, reproduce, workers

from l2o_core.cli import main
from l2o_core.errors import ConfigError

pytestmark = pytest.mark.filterwarnings("ignore")  # of zmq and tornado, about their own shutdown

BODY = """
import json, os, pathlib, time
print("here", number)
folder = pathlib.Path(os.environ["L2O_RECORD_DIR"])
folder.mkdir(parents=True, exist_ok=True)
(folder / "{title}.json").write_text(json.dumps({{"name": "{title}", "number": number}}))
"""


@pytest.fixture
def cluster():
    """A scheduler on this machine with a worker in this process, started in no time."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=1,
        threads_per_worker=2,
        processes=False,
        protocol="tcp",
        host="127.0.0.1",
        dashboard_address=None,
    ) as running:
        yield running


def test_records_are_the_same_one_at_a_time_two_at_a_time_and_on_a_cluster(small_book):
    for name in ("first", "second"):
        small_book(name, body=BODY.format(title=name))
    found = []
    for options in ({"jobs": 1}, {"jobs": 2}, {"jobs": 2, "scheduler": "local"}):
        runs = reproduce.execute([], "quick", force=True, **options)
        assert not any(run.failure for run in runs)
        folder = small_book.root / "results" / "quick"
        found.append({path.name: path.read_text() for path in folder.iterdir()})
        for path in folder.iterdir():
            path.unlink()
    assert found[0] == found[1] == found[2]
    assert len(found[0]) == 2


def test_progress_and_logs_come_back_from_a_cluster_and_failures_say_where(small_book, cluster):
    small_book("first", body="print('so far')\nnumber / 0")
    lines = []
    (run,) = reproduce.execute(
        [], "quick", scheduler=cluster.scheduler_address, show=progress.Lines(lines.append)
    )
    assert run.failure == "in first.py:9: ZeroDivisionError: division by zero"
    assert "so far\n" in run.log.read_text()
    assert lines[0] == f"1 notebook to run (quick), on {cluster.scheduler_address}"
    assert lines[1:] == ["first: started", f"[1/1] first: FAILED {run.failure}"]


def test_a_killed_worker_costs_the_unfinished_part_of_its_job_only(small_book):
    small_book("second")
    folder = small_book.root / "checkpoints"
    body = f"""
import os, pathlib, signal, time
folder = pathlib.Path('{folder}')
folder.mkdir(exist_ok=True)
for part in range(3):
    if not (folder / str(part)).exists():
        (folder / str(part)).touch()
        with (folder / "computed").open("a") as file:
            print(part, file=file)
        if part == 0:
            os.kill(os.getppid(), signal.SIGKILL)  # the worker
            time.sleep(60)
"""
    small_book("first", body=body)
    lines = []
    runs = reproduce.execute([], "quick", scheduler="local", jobs=2, show=progress.Lines(lines.append))
    assert not any(run.failure for run in runs)
    assert (folder / "computed").read_text().split() == ["0", "1", "2"]
    assert any(line.startswith("first: started again") and line.endswith("its worker died") for line in lines)
    assert not any(line.startswith("second: started again") for line in lines)


def test_an_address_where_nobody_answers_is_one_clear_line(small_book, capsys, monkeypatch):
    monkeypatch.setattr(workers, "CONNECT_SECONDS", 0.2)
    small_book("first")
    for address in ("tcp://127.0.0.1:1", "nonsense"):
        assert main(["reproduce", "--scheduler", address]) == 2
        error = capsys.readouterr().err
        assert len(error.splitlines()) == 1
        assert f"no Dask scheduler answers at {address}" in error
    assert not (small_book.root / "results" / "quick").exists()


def test_a_worker_without_the_package_or_with_another_version_is_refused(small_book, cluster, monkeypatch):
    small_book("first")
    with cluster.get_client() as client:
        planned = plan.plan([], "quick")
        expected = workers.environment("quick")
        workers.check(client, expected, planned)
        with pytest.raises(ConfigError, match=r"worker tcp.* has torch 2.*, and here it is 0\.1"):
            workers.check(client, expected | {"torch": "0.1"}, planned)
        with pytest.raises(ConfigError, match="has another version of the book"):
            workers.check(client, expected | {workers.CHECKOUT: "other"}, planned)
        monkeypatch.delenv("L2O_BOOK_ROOT")
        monkeypatch.chdir(small_book.root.parent)
        with pytest.raises(ConfigError, match="is not in a checkout of the book"):
            workers.check(client, expected, planned)
        monkeypatch.setitem(__import__("sys").modules, "l2o_book.workers", None)
        with pytest.raises(ConfigError, match=r"cannot import l2o_book\.workers; install this checkout"):
            workers.check(client, expected, planned)


def test_a_resource_that_no_worker_offers_is_one_clear_line(small_book, cluster):
    small_book("first")
    (small_book.root / "profiles" / "quick.yml").write_text("resources: {GPU: 1}\n")
    with pytest.raises(
        ConfigError, match=r"first needs GPU: 1, which no worker offers; .* --resources GPU=1"
    ):
        reproduce.execute([], "quick", scheduler=cluster.scheduler_address)


def test_a_worker_that_comes_later_is_checked_when_it_takes_a_job(small_book, cluster, monkeypatch):
    small_book("first")
    monkeypatch.setattr(workers, "check", lambda *ignored: None)
    real = workers.environment
    monkeypatch.setattr(workers, "environment", lambda profile: real(profile) | {"torch": str(os.urandom(4))})
    (run,) = reproduce.execute([], "quick", scheduler=cluster.scheduler_address)
    assert "has torch" in run.failure
    assert json.loads(run.path.read_text())["metadata"]["l2o"]["failure"] == run.failure
