"""A page shows its own run, unless it is told to show the recorded one."""

import pytest
from l2o_book import records
from l2o_book.page import Page

from l2o_core.errors import ConfigError


@pytest.fixture
def sol(small_book):
    small_book(
        "sol",
        source='# %% tags=["parameters"]\nprofile = "quick"\nseeds = [0]\nshow = "own"\nfolder = ""\n',
    )
    return small_book


def page(**changes):
    return Page("sol", {"profile": "quick", "seeds": [4], "show": "own", "folder": "", "other": 1} | changes)


def recorded(sol):
    run = {"profile": "standard", "seed": [0, 1, 2], "dataset": "MNIST", "wall_time": 60}
    records.save("sol", {"loss": 0.1}, **run, folder=sol.root / "results" / "standard")


def test_a_page_shows_what_it_has_run(sol):
    recorded(sol)
    found = page().record({"loss": 0.9}, dataset="digits")
    assert (found.values, found.seeds) == ({"loss": 0.9}, [4])
    assert found.parameters == {"profile": "quick", "seeds": [4], "show": "own", "folder": ""}


def test_the_recorded_run_is_shown_only_on_request_and_where_there_is_one(sol, capsys):
    assert page(show="recorded").record({"loss": 0.9}, dataset="digits").values == {"loss": 0.9}
    recorded(sol)
    found = page(show="recorded").record({"loss": 0.9}, dataset="digits")
    assert (found.values, found.profile) == ({"loss": 0.1}, "standard")
    assert "the recorded run: standard run, MNIST, 3 seeds" in capsys.readouterr().out
    assert records.load("sol", "standard").values == {"loss": 0.1}


def test_nothing_else_can_be_shown(sol):
    with pytest.raises(ConfigError, match="show must be one of own, recorded"):
        page(show="latest")


def test_results_are_cached_only_in_a_folder_that_is_named(sol):
    assert page().cache is None
    assert page(folder="checkpoints").cache == sol.root / "checkpoints" / "quick"


def test_a_page_that_was_split_off_shows_its_part_of_the_earlier_record(sol, capsys):
    run = {"profile": "standard", "seed": [0], "dataset": "MNIST", "wall_time": 60}
    folder = sol.root / "results" / "standard"
    records.save("earlier", {"loss": 0.2, "more": 1}, **run, folder=folder)
    options = {"dataset": "digits", "part_of": "earlier"}
    assert page().record({"loss": 0.9}, **options).values == {"loss": 0.9}
    assert page(show="recorded").record({"loss": 0.9}, **options).values["loss"] == 0.2
    records.save("sol", {"loss": 0.1}, **run, folder=folder)
    assert page(show="recorded").record({"loss": 0.9}, **options).values["loss"] == 0.1


def test_a_page_asks_for_its_device_as_it_starts(small_book):
    small_book("sol", source='# %% tags=["parameters"]\nprofile = "quick"\ndevice = "cpu"\n')
    assert page(device="cpu").parameters["device"] == "cpu"
    with pytest.raises(ConfigError, match="no NOWHERE device here; set device to cpu"):
        page(device="nowhere")
