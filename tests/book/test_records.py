"""A record comes back as it was written, or not at all; published numbers are the papers'."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from l2o_book import records

from l2o_core.errors import ConfigError, DataError

RUN = {"profile": "quick", "seed": [0, 1], "dataset": "digits", "engine": "operon", "wall_time": 1.5}


def save(values, tmp_path, **changes):
    return records.save("trial", values, **(RUN | changes), root=tmp_path)


def test_a_record_comes_back_as_it_was_written(tmp_path):
    values = {"r2": 0.25, "n": 3, "equation": "-g[0]", "rows": [{"a": None, "ok": True}], "state": "diverged"}
    path = save(values, tmp_path)
    assert path == tmp_path / "quick" / "trial.json"
    record = records.load("trial", "quick", root=tmp_path)
    assert record["values"] == values
    assert {key: record[key] for key in ("profile", "seed", "dataset", "engine")} == {
        key: RUN[key] for key in ("profile", "seed", "dataset", "engine")
    }
    assert record["wall_time_s"] == 1.5


def test_a_quick_page_shows_the_standard_record_where_there_is_one(tmp_path):
    save({"r2": 0.1}, tmp_path)
    assert records.shown("trial", "quick", root=tmp_path)["profile"] == "quick"
    save({"r2": 0.9}, tmp_path, profile="standard")
    assert records.shown("trial", "quick", root=tmp_path)["values"] == {"r2": 0.9}
    with pytest.raises(DataError):
        records.shown("trial", "paper", root=tmp_path)


def test_what_is_not_finite_comes_back_and_the_file_is_strict_json(tmp_path):
    path = save({"loss": [math.nan, math.inf, -math.inf, 1.0]}, tmp_path)

    def refuse(token):
        raise AssertionError(f"{token} is not JSON")

    json.loads(path.read_text(), parse_constant=refuse)
    loss = records.load("trial", "quick", root=tmp_path)["values"]["loss"]
    assert math.isnan(loss[0])
    assert loss[1:] == [math.inf, -math.inf, 1.0]


def test_arrays_and_tensors_are_recorded_as_lists(tmp_path):
    save({"a": np.arange(3), "b": torch.ones(2), "c": np.float32(0.5), "d": np.bool_(True)}, tmp_path)
    values = records.load("trial", "quick", root=tmp_path)["values"]
    assert values == {"a": [0, 1, 2], "b": [1.0, 1.0], "c": 0.5, "d": True}


def test_every_record_says_where_it_came_from(tmp_path):
    save({}, tmp_path)
    record = records.load("trial", "quick", root=tmp_path)
    assert record["hardware"]["cpu"]
    assert record["hardware"]["cores"] >= 1
    assert record["hardware"]["memory_gib"] > 0
    assert record["versions"]["torch"] == torch.__version__
    assert record["date"].endswith("+00:00")
    assert record["commit"] is None or set(record["commit"]) == {"sha", "dirty"}


def test_the_commit_is_that_of_the_start_even_if_the_code_is_changed_meanwhile(tmp_path, monkeypatch):
    monkeypatch.setattr(records.provenance, "commit", lambda: {"sha": "later", "dirty": True})
    save({}, tmp_path)
    assert records.load("trial", "quick", root=tmp_path)["commit"] == records.COMMIT != {"sha": "later"}


@pytest.mark.parametrize("bad", [object(), {1: "number as key"}, {"deep": [object()]}])
def test_what_json_cannot_carry_is_refused_and_the_old_record_stays(tmp_path, bad):
    save({"kept": 1}, tmp_path)
    with pytest.raises(DataError, match="trial"):
        save({"value": bad}, tmp_path)
    assert records.load("trial", "quick", root=tmp_path)["values"] == {"kept": 1}
    assert [path.name for path in (tmp_path / "quick").iterdir()] == ["trial.json"]


def test_a_write_that_fails_leaves_the_old_record(tmp_path, monkeypatch):
    save({"kept": 1}, tmp_path)

    def full(*arguments, **options):
        raise OSError("no space left")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="no space"):
        save({"kept": 2}, tmp_path)
    monkeypatch.undo()
    assert records.load("trial", "quick", root=tmp_path)["values"] == {"kept": 1}
    assert [path.name for path in (tmp_path / "quick").iterdir()] == ["trial.json"]


@pytest.mark.parametrize("name", ["../escape", "a/b", "", ".hidden"])
def test_a_name_cannot_leave_the_folder(tmp_path, name):
    with pytest.raises(ConfigError, match="cannot name a record"):
        records.save(name, {}, **RUN, root=tmp_path)


def test_a_missing_record_says_how_to_make_it(tmp_path):
    with pytest.raises(DataError, match="l2o reproduce trial --profile quick"):
        records.load("trial", "quick", root=tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"experiment": "trial"}'])
def test_a_damaged_record_is_refused(tmp_path, text):
    path = save({}, tmp_path)
    path.write_text(text)
    with pytest.raises(DataError, match=r"trial\.json"):
        records.load("trial", "quick", root=tmp_path)


def test_published_numbers_carry_value_spread_and_source():
    table = records.published("SymL2O Table 3").set_index(["row", "column"])
    cell = table.loc[("DM", "loss numerical")]
    assert (cell["value"], cell["std"], cell["text"]) == (0.23, 0.13, "0.23 ± 0.13")
    assert set(table.source) == {"SymL2O Table 3"}
    assert math.isnan(
        records.published("SymL2O Table 1").set_index(["row", "column"]).loc[("SGD", "target")].value
    )


@pytest.mark.parametrize(
    ("table", "rows", "cells"),
    [
        *(("SymL2O Table 1", 5, 20), ("SymL2O Table 3", 6, 29), ("SymL2O Table 4", 3, 13)),
        *(("SymL2O Table 5", 6, 12), ("SymL2O Table 6", 5, 5), ("SymL2O Table 7", 5, 10)),
        *(
            ("SymL2O Table 8", 3, 3),
            ("SymL2O Table 9", 8, 16),
            ("SOL Table 2", 12, 24),
            ("SOL Table 3", 5, 7),
        ),
        *(("SOL Table 4", 3, 9), ("SOL Table 5", 7, 21), ("SOL Table 6", 6, 12), ("SOL Table 7", 5, 10)),
    ],
)
def test_every_cell_of_the_papers_tables_is_there(table, rows, cells):
    found = records.published(table)
    assert (found.row.nunique(), len(found)) == (rows, cells)


def test_an_unknown_table_names_the_known_ones():
    with pytest.raises(ConfigError, match="SOL Table 2"):
        records.published("SOL Table 99")


def test_compare_keeps_what_only_one_side_has_and_counts_what_diverged():
    published = records.published("SymL2O Table 8")
    ours = {"complexity 10": {"accuracy": [93.0, 95.0, math.nan]}, "linear": {"accuracy": 50.0}}
    table = records.compare(published, ours, source="quick, digits").set_index("row")
    assert list(table.index) == ["complexity 10", "complexity 100", "complexity 200", "linear"]
    assert list(table.published) == ["93.5", "95.4", "12.0", "–"]
    assert list(table.ours) == ["94.0 ± 1.4 (1 diverged)", "–", "–", "50"]
    assert list(table.n) == [3, 0, 0, 1]
    assert table.source["complexity 10"] == "SymL2O Table 8; quick, digits"
    assert table.source["linear"] == "quick, digits"


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([0.23, 0.23], "0.23 ± 0"),
        ([67.1, 67.2], "67.150 ± 0.071"),
        (np.array([1.0, 3.0], dtype=np.float32), "2.0 ± 1.4"),
        ([0.123456], "0.123"),
        (["diverged"], "diverged"),
        (["diverged", math.nan], "all 2 diverged"),
        ([], "–"),
    ],
)
def test_mean_and_spread_read_well(values, text):
    assert records.mean_std(values) == text


def test_the_book_is_found_from_below_or_where_the_variable_says(tmp_path, monkeypatch):
    monkeypatch.delenv("L2O_BOOK_ROOT", raising=False)
    (tmp_path / "notebooks" / "deep").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "notebooks" / "deep")
    with pytest.raises(ConfigError, match="L2O_BOOK_ROOT"):
        records.book_root()
    (tmp_path / "_toc.yml").touch()
    assert records.book_root() == tmp_path
    assert records.save("trial", {}, **RUN) == tmp_path / "results" / "quick" / "trial.json"
    monkeypatch.setenv("L2O_BOOK_ROOT", "/elsewhere")
    assert str(records.book_root()) == "/elsewhere"
