"""Every layout of a data set gives the same arrays; what is missing or hostile is refused."""

import gzip
import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from l2o_core import data
from l2o_core.errors import ConfigError, DataError

IMAGES = np.random.default_rng(0).integers(0, 256, (20, 3, 32, 32), dtype=np.uint8)
LABELS = np.arange(20, dtype=np.uint8) % 10


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("L2O_DATA_ROOT", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def write_webp(root):
    folder = root / "CIFAR10"
    folder.mkdir()
    for part in range(2):
        strip = IMAGES[10 * part : 10 * (part + 1)].transpose(0, 2, 3, 1).reshape(-1, 32, 3)
        Image.fromarray(strip).save(folder / f"test_{part:03d}.webp", lossless=True)
    np.save(folder / "test_labels.npy", LABELS)


def write_binary(root):
    folder = root / "cifar-10-batches-bin"
    folder.mkdir()
    np.column_stack([LABELS, IMAGES.reshape(20, -1)]).tofile(folder / "test_batch.bin")


def write_pickle(root, content=None):
    folder = root / "cifar-10-batches-py"
    folder.mkdir()
    content = content or {b"data": IMAGES.reshape(20, -1), b"labels": LABELS.tolist()}
    (folder / "test_batch").write_bytes(pickle.dumps(content, protocol=4))


@pytest.mark.parametrize("write", [write_webp, write_binary, write_pickle])
def test_layouts_of_cifar_agree(root, write):
    write(root)
    loaded = data.load("cifar10", "test")
    assert loaded.images.dtype == torch.uint8
    np.testing.assert_array_equal(loaded.images, IMAGES)
    np.testing.assert_array_equal(loaded.labels, LABELS)
    assert loaded.name == "CIFAR10 (20 of 10000 test images)"


def test_cifar100_takes_the_fine_label(root):
    folder = root / "cifar-100-binary"
    folder.mkdir()
    np.column_stack([0 * LABELS, LABELS + 50, IMAGES.reshape(20, -1)]).tofile(folder / "test.bin")
    np.testing.assert_array_equal(data.load("cifar100", "test").labels, LABELS + 50)


@pytest.mark.parametrize("compress", [True, False])
def test_mnist_is_read_plain_or_gzipped(root, compress):
    folder = root / "MNIST" / "raw"
    folder.mkdir(parents=True)
    images = IMAGES[:, 0, :28, :28]
    for kind, magic, array in (("images-idx3", 2051, images), ("labels-idx1", 2049, LABELS)):
        raw = np.array([magic, *array.shape], ">u4").tobytes() + array.tobytes()
        name = f"t10k-{kind}-ubyte" + (".gz" if compress else "")
        (folder / name).write_bytes(gzip.compress(raw) if compress else raw)
    np.testing.assert_array_equal(data.load("mnist", "test").images[:, 0], images)


class Hostile:
    def __reduce__(self):
        return (print, ("executed",))


def test_a_pickle_that_would_run_code_is_refused(root, capsys):
    write_pickle(root, {b"data": Hostile(), b"labels": []})
    with pytest.raises(DataError, match="has no place in a file of images"):
        data.load("cifar10", "test")
    assert capsys.readouterr().out == ""


def test_a_file_cut_short_is_named(root):
    write_binary(root)
    path = root / "cifar-10-batches-bin" / "test_batch.bin"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(DataError, match=r"test_batch\.bin"):
        data.load("cifar10", "test")


@pytest.mark.parametrize("write", [write_webp, write_binary, write_pickle])
def test_files_larger_than_any_of_the_data_set_are_not_read(root, write, monkeypatch):
    write(root)
    monkeypatch.setattr(data, "_LARGEST", 100)
    with pytest.raises(DataError, match="it has more than 100 bytes"):
        data.load("cifar10", "test")


def test_a_strip_of_labels_of_any_size_is_not_read(root):
    write_webp(root)
    with (root / "CIFAR10" / "test_labels.npy").open("r+b") as file:
        file.truncate(2**40)
    with pytest.raises(DataError, match=r"test_labels\.npy: it has more than"):
        data.load("cifar10", "test")


@pytest.mark.parametrize(
    "content",
    [b"PK\x03\x04", b"", b"\x93NUMPY\x01\x00\x14\x00{'descr': ('<i8', \\n", pickle.dumps(LABELS)],
    ids=["zip", "empty", "header cut short", "pickle"],
)
def test_labels_that_are_no_array_are_refused(root, content):
    write_webp(root)
    (root / "CIFAR10" / "test_labels.npy").write_bytes(content)
    with pytest.raises(DataError, match=r"test_labels\.npy"):
        data.load("cifar10", "test")


def test_missing_data_says_where_it_looked_and_what_to_do(root, tmp_path):
    with pytest.raises(DataError, match="download=True") as error:
        data.load("cifar10")
    assert str(root) in str(error.value)
    assert str(tmp_path / "cache" / "l2o") in str(error.value)


def test_digits_come_with_the_installation_and_are_named_a_stand_in():
    train, test = data.load("digits"), data.load("digits", "test")
    assert len(train) + len(test) == 1797
    assert "stand-in" in train.name
    assert train.images.shape[1:] == (1, 8, 8)
    assert train.images.max() == 255


def test_unknown_names_list_the_known_ones():
    with pytest.raises(ConfigError, match="mnist, cifar10, cifar100, digits"):
        data.load("imagenet")
    with pytest.raises(ConfigError, match="train, test"):
        data.load("digits", "dev")


def test_without_a_home_data_is_looked_for_where_it_is_said_to_be(monkeypatch, tmp_path):
    def no_home(*_):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(data.Path, "home", no_home)
    monkeypatch.setattr(data.Path, "expanduser", lambda self: no_home() if "~" in str(self) else self)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("L2O_DATA_ROOT", str(tmp_path))
    assert data.roots() == [tmp_path]
    monkeypatch.setenv("L2O_DATA_ROOT", "~/data")
    with pytest.raises(DataError, match="set it to a whole path"):
        data.load("mnist")
    monkeypatch.delenv("L2O_DATA_ROOT")
    with pytest.raises(DataError, match="set L2O_DATA_ROOT"):
        data.load("mnist")
