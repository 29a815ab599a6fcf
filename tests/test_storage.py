"""Files appear whole or not at all; results are found again under all that they depend on."""

import numpy as np
import pytest
import torch

from l2o_core.errors import CheckpointError, ConfigError
from l2o_core.features import Features
from l2o_core.storage import NO_CACHE, Cache, Checkpoint, digest, replacing


def test_the_file_is_replaced_at_the_end(tmp_path):
    path = tmp_path / "new folder" / "file.txt"
    for text in ("old", "new"):
        with replacing(path) as draft:
            draft.write_text(text)
            assert draft.suffix == ".txt"
            assert not path.exists() or path.read_text() == "old"
        assert path.read_text() == text
    assert list(path.parent.iterdir()) == [path]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")

    def fail():
        with replacing(path) as draft:
            draft.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


KEY = {"rate": 0.1, "weights": [torch.arange(3.0)], "features": Features(("g",)), "part": None}


def test_a_result_is_computed_once_for_each_kind_and_key(tmp_path):
    cache, calls = Cache(tmp_path), []

    def compute():
        calls.append(1)
        return {"losses": torch.ones(2), "name": "first"}

    first, again = (cache.call("losses", KEY, compute) for _ in range(2))
    assert torch.equal(first["losses"], again["losses"])
    assert len(calls) == 1
    assert [path.suffix for path in tmp_path.glob("losses/*")] == [".pt"]
    cache.call("other", KEY, compute)
    Cache(tmp_path, code="2").call("losses", KEY, compute)
    assert len(calls) == 3


@pytest.mark.parametrize(
    "change",
    [
        *({"rate": 0.2}, {"rate": "0.1"}, {"part": False}, {"features": Features(("m",))}, {"more": 1}),
        *({"weights": [torch.arange(3)]}, {"weights": [torch.arange(3.0)[:, None]]}),
        *({"weights": [np.arange(3, dtype=np.float32)]}, {"weights": torch.arange(3.0)}),
    ],
    ids=str,
)
def test_another_key_is_another_name(change):
    assert digest(KEY | change) != digest(KEY)


def test_equal_keys_have_one_name():
    strided = torch.arange(6.0)[::2] / 2
    assert digest(dict(reversed((KEY | {"weights": (strided,)}).items()))) == digest(KEY)


@pytest.mark.parametrize(
    "value", [object(), {1: 2}, np.array([None]), {1, 2}, b"bytes"], ids=lambda value: type(value).__name__
)
def test_what_has_no_description_is_refused(value):
    with pytest.raises(ConfigError, match="cannot be part of a key"):
        digest({"value": value})


def test_nothing_is_stored_without_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    numbers = iter(range(2))
    assert [NO_CACHE.call("sums", {"x": object()}, lambda: next(numbers)) for _ in range(2)] == [0, 1]
    assert NO_CACHE.checkpoint("fits", {}) is None
    assert not [*tmp_path.iterdir()]


def test_a_value_that_would_run_code_is_not_read(tmp_path):
    cache = Cache(tmp_path)
    cache.slot("losses", KEY).save(Features(("g",)))  # any class will do
    with pytest.raises(CheckpointError, match="cut short or is no checkpoint"):
        cache.slot("losses", KEY).load()


def test_a_checkpoint_is_that_of_its_own_run_only(tmp_path):
    mine = Checkpoint(tmp_path / "run.pt", {"seed": 1, "lr": 0.1})
    assert mine.load() is None
    mine.save({"epoch": 3})
    assert mine.load() == {"epoch": 3}
    with pytest.raises(CheckpointError, match=r"belongs to another run \(seed: 1 there, 2 here"):
        Checkpoint(mine.path, {"seed": 2, "lr": 0.1}).load()
    torch.save([1], mine.path)
    with pytest.raises(CheckpointError, match="is no checkpoint"):
        mine.load()


def test_a_cache_names_checkpoints_after_their_keys(tmp_path):
    cache = Cache(tmp_path)
    cache.checkpoint("fits", KEY).save(1)
    assert cache.checkpoint("fits", KEY).load() == 1
    assert cache.checkpoint("fits", KEY | {"rate": 1}).load() is None
