"""A record comes back as it was written, or not at all; published numbers are the papers'."""

import json
import math
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from l2o_book import provenance, records, sources

from l2o_core import models
from l2o_core.errors import ConfigError, DataError

RUN = {"seed": [0, 1], "dataset": "digits", "engine": "operon", "wall_time": 1.5}


@pytest.fixture(autouse=True)
def book(tmp_path, monkeypatch):
    """An empty book around every test."""
    monkeypatch.setenv("L2O_BOOK_ROOT", str(tmp_path))


def save(values, tmp_path, profile="quick", **changes):
    return records.save(
        "trial", values, **(RUN | changes), profile=profile, folder=tmp_path / "results" / profile
    )


def file(tmp_path, profile="quick"):
    return tmp_path / "results" / profile / "trial.json"


def test_a_record_comes_back_as_it_was_written(tmp_path):
    values = {"r2": 0.25, "n": 3, "equation": "-g[0]", "rows": [{"a": None, "ok": True}], "state": "diverged"}
    written = save(values, tmp_path, parameters={"epochs": 3})
    record = records.load("trial", "quick")
    assert record == written
    assert record.values == values
    assert (record.profile, record.seeds, record.dataset, record.engine) == (
        "quick",
        [0, 1],
        "digits",
        "operon",
    )
    assert (record.wall_time_s, record.parameters) == (1.5, {"epochs": 3})
    assert record.source == "quick run, digits, 2 seeds"
    assert record.cite("3 initialisations") == "quick run, digits, 2 seeds, 3 initialisations"


def test_a_run_by_hand_never_replaces_a_recorded_one(tmp_path, monkeypatch):
    """Only a command that runs exactly a profile's parameters names the profile's folder."""
    save({"r2": 0.9}, tmp_path, profile="standard")
    records.save("trial", {"r2": 0.1}, **RUN, profile="standard")
    assert records.load("trial", "standard").values == {"r2": 0.9}
    assert (tmp_path / "results" / "own" / "trial.json").is_file()
    monkeypatch.setenv("L2O_RECORD_DIR", str(tmp_path / "results" / "standard"))
    records.save("trial", {"r2": 0.5}, **RUN, profile="standard")
    assert records.load("trial", "standard").values == {"r2": 0.5}


def test_committed_records_from_before_parameters_were_recorded_can_be_read(monkeypatch):
    monkeypatch.setenv("L2O_BOOK_ROOT", str(Path(__file__).parents[2]))
    for path in (Path(__file__).parents[2] / "results" / "standard").glob("*.json"):
        record = records.load(path.stem, "standard")
        assert record.values
        assert record.sha


def test_what_is_not_finite_comes_back_and_the_file_is_strict_json(tmp_path):
    save({"loss": [math.nan, math.inf, -math.inf, 1.0]}, tmp_path)

    def refuse(token):
        raise AssertionError(f"{token} is not JSON")

    json.loads(file(tmp_path).read_text(), parse_constant=refuse)
    loss = records.load("trial", "quick").values["loss"]
    assert math.isnan(loss[0])
    assert loss[1:] == [math.inf, -math.inf, 1.0]


def test_arrays_and_tensors_are_recorded_as_lists(tmp_path):
    save({"a": np.arange(3), "b": torch.ones(2), "c": np.float32(0.5), "d": np.bool_(True)}, tmp_path)
    values = records.load("trial", "quick").values
    assert values == {"a": [0, 1, 2], "b": [1.0, 1.0], "c": 0.5, "d": True}


def test_every_record_says_where_it_came_from(tmp_path):
    save({}, tmp_path)
    record = records.load("trial", "quick")
    assert record.hardware["cpu"]
    assert record.hardware["cores"] >= 1
    assert record.hardware["memory_gib"] > 0
    assert record.versions["torch"] == torch.__version__
    assert record.date.endswith("+00:00")
    assert record.commit is None or set(record.commit) == {"sha", "dirty"}


def test_a_system_may_not_tell_how_much_memory_it_has(monkeypatch):
    monkeypatch.delattr(provenance.os, "sysconf")
    assert provenance.hardware()["memory_gib"] is None


def test_the_commit_is_that_of_the_start_even_if_the_code_is_changed_meanwhile(tmp_path, monkeypatch):
    monkeypatch.setattr(records.provenance, "commit", lambda: {"sha": "later", "dirty": True})
    save({}, tmp_path)
    assert records.load("trial", "quick").commit == records.COMMIT != {"sha": "later"}


@pytest.mark.parametrize("bad", [object(), {1: "number as key"}, {"deep": [object()]}])
def test_what_json_cannot_carry_is_refused_and_the_old_record_stays(tmp_path, bad):
    save({"kept": 1}, tmp_path)
    with pytest.raises(DataError, match="trial"):
        save({"value": bad}, tmp_path)
    assert records.load("trial", "quick").values == {"kept": 1}
    assert [path.name for path in file(tmp_path).parent.iterdir()] == ["trial.json"]


def test_a_write_that_fails_leaves_the_old_record(tmp_path, monkeypatch):
    save({"kept": 1}, tmp_path)

    def full(*arguments, **options):
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(OSError, match="no space"):
            save({"kept": 2}, tmp_path)
    assert records.load("trial", "quick").values == {"kept": 1}
    assert [path.name for path in file(tmp_path).parent.iterdir()] == ["trial.json"]


@pytest.mark.parametrize("name", ["../escape", "a/b", "", ".hidden"])
def test_a_name_cannot_leave_the_folder(tmp_path, name):
    with pytest.raises(ConfigError, match="cannot name a record"):
        records.save(name, {}, **RUN, profile="quick", folder=tmp_path)


def test_a_missing_record_says_how_to_make_it(tmp_path):
    with pytest.raises(DataError, match="l2o reproduce trial --profile quick"):
        records.load("trial", "quick")


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"experiment": "trial"}'])
def test_a_damaged_record_is_refused(tmp_path, text):
    save({}, tmp_path)
    file(tmp_path).write_text(text)
    with pytest.raises(DataError, match=r"trial\.json"):
        records.load("trial", "quick")


def test_what_a_run_used_is_in_its_record(tmp_path):
    sources.forget()
    for _ in range(2):  # the second use is not another result
        sources.TracedCache(tmp_path).call("losses", {"a": 1}, lambda: 3)
    sources.teacher("rp/p1, seed 3", models.load("rp/p1"), models.describe("rp/p1")["training"], cached=True)
    record = records.save("x", {}, profile="quick", seed=0, dataset="d", wall_time=1, folder=tmp_path)
    assert record.used["losses"] == {"digests": [mock.ANY], "from cache": 0}
    assert record.used["teachers"]["rp/p1, seed 3"]["part"] == "train"
    assert record.code == provenance.code()
    sources.forget()
    sources.TracedCache(tmp_path).call("losses", {"a": 1}, lambda: 3)
    assert sources.used()["losses"]["from cache"] == 1
    sources.forget()


def test_the_machine_is_what_the_device_asked_for(tmp_path):
    record = save({}, tmp_path, parameters={"device": "cpu"})
    with mock.patch.dict(record.hardware, cores=2, cpu="A", gpu="B"):
        assert record.machine == "2 cores (A)"
        with mock.patch.dict(record.parameters, device="cuda"):
            assert record.machine == "B"
