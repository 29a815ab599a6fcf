"""Files appear whole or not at all; results are found again under all that they depend on."""

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from l2o_core.errors import CheckpointError, ConfigError, StorageError
from l2o_core.features import Features
from l2o_core.storage import NO_CACHE, TENSORS, Cache, Checkpoint, digest, replacing


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


def test_a_flipped_bit_anywhere_is_noticed(tmp_path):
    run = Checkpoint(tmp_path / "run.pt", {})
    run.save({"losses": torch.ones(3)})
    good = run.path.read_bytes()
    for place in range(0, len(good), 7):
        damaged = bytearray(good)
        damaged[place] ^= 1 << place % 8
        run.path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match=r"run\.pt"):
            run.load()


@pytest.mark.parametrize("content", [[1, 2], 3, torch.zeros(3), {"identity": [1], "content": 1}], ids=str)
def test_what_is_no_checkpoint_is_refused(tmp_path, content):
    TENSORS.save(content, tmp_path / "run.pt")
    with pytest.raises(CheckpointError, match="is no checkpoint"):
        Checkpoint(tmp_path / "run.pt", {}).load()


@pytest.mark.parametrize("content", [b"", b".", b"c\xda\x89I\n", b"G", b"PK\x03\x04"])
def test_foreign_bytes_are_refused(tmp_path, content):
    (tmp_path / "run.pt").write_bytes(content)
    with pytest.raises(CheckpointError, match="cut short"):
        Checkpoint(tmp_path / "run.pt", {}).load()


def test_drafts_of_the_dead_are_swept_and_those_of_the_living_stay(tmp_path):
    path, others = (
        tmp_path / "file.txt",
        [tmp_path / name for name in (".4711-1-other.txt", ".notes-file.txt")],
    )
    for other in (*others, tmp_path / ".4711-140-file.txt"):
        other.write_text("half")
    pool = ThreadPoolExecutor(1)
    with replacing(path) as draft:
        pool.submit(write, path).result()
        assert draft.exists()
        draft.write_text("last")
    assert path.read_text() == "last"
    assert sorted(tmp_path.iterdir()) == sorted([path, *others])


def write(path):
    with replacing(path) as draft:
        draft.write_text("first")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_full_disk_names_the_file(tmp_path, number):
    def fail():
        with replacing(tmp_path / "run.pt"):
            raise OSError(number, os.strerror(number))

    with pytest.raises(StorageError, match=rf"cannot write .*run\.pt \({os.strerror(number)}\)"):
        fail()
    assert not [*tmp_path.iterdir()]


def test_a_folder_that_is_a_file_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="file"):
        Cache(tmp_path / "file").call("losses", {}, lambda: 1)


@pytest.mark.parametrize("place", ["file/run.pt", "file/new/run.pt", "closed/run.pt", "closed/new/run.pt"])
def test_a_place_that_cannot_be_written_to_is_said_before_the_work(tmp_path, monkeypatch, place):
    (tmp_path / "file").write_text("")
    (tmp_path / "closed").mkdir()
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "closed" and access(path, mode))
    words = "Not a directory" if place.startswith("file") else "Permission denied"
    for check in (Checkpoint(tmp_path / place, {}).check, Cache(tmp_path / place).slot("losses", {}).check):
        with pytest.raises(StorageError, match=f"cannot write .*{words}"):
            check()
    Checkpoint(tmp_path / "new/run.pt", {}).check()
    Cache(None).slot("losses", {}).check()
    assert not (tmp_path / "new").exists()


def test_a_result_that_another_computes_is_waited_for(tmp_path):
    calls, cache = [], Cache(tmp_path)
    with ThreadPoolExecutor(2) as pool, cache.slot("sums", {}).alone():
        waiting = [pool.submit(cache.call, "sums", {}, lambda: calls.append(1) or 5) for _ in range(2)]
        cache.slot("sums", {}).save(3)
    assert [future.result() for future in waiting] == [3, 3]
    assert calls == []
    assert not [*(tmp_path / ".locks").iterdir()]


def test_numpys_numbers_are_written_as_pythons(tmp_path):
    checkpoint = Checkpoint(tmp_path / "run.pt", {"lr": np.float64(0.1), "options": {"seed": np.int64(3)}})
    checkpoint.save({"rates": [np.float32(0.5)], "pair": (np.int64(1), "a"), "done": np.bool_(True)})
    assert checkpoint.load() == {"rates": [0.5], "pair": (1, "a"), "done": True}
