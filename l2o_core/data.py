"""Image data sets, found on disk and read into tensors.

A data set is looked for under `$L2O_DATA_ROOT`, then in the user's cache (`$XDG_CACHE_HOME/l2o`, by default
`~/.cache/l2o`), and is downloaded into that cache only on request. The layouts are torchvision's, the binary
versions of CIFAR, and strips of lossless WebP (`CIFAR10/train_000.webp`, 500 images below each other).

Torchvision downloads; its readers are not used: that of CIFAR unpickles, which can run code, that of MNIST
refuses a folder with one split or with gzipped files, and both take as long to import as torch itself.
"""

from __future__ import annotations

import gzip
import os
import pickle
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from . import parts
from .errors import ConfigError, DataError, optional_import

__all__ = ["NAMES", "SPLITS", "ImageData", "load", "roots"]

SPLITS = ("train", "test")
_Arrays = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class ImageData:
    """Images with labels.

    Args:
        name: Of the data set; it says so where this is a stand-in, or only part of what is published.
        images: `[n, C, H, W]`, uint8 from 0 to 255.
        labels: `[n]`, int64.
        classes: Number of classes.
    """

    name: str
    images: Tensor
    labels: Tensor
    classes: int

    def __len__(self) -> int:
        return len(self.labels)


def load(name: str, split: str = "train", download: bool = False, part: str | None = None) -> ImageData:
    """Read one split of a data set, or a part of its training split.

    Args:
        name: "mnist", "cifar10", "cifar100", or "digits": 1797 scans of 8x8 pixels that come with
            scikit-learn and stand in where nothing may be downloaded.
        split: "train" or "test".
        download: Download the data set into the user's cache if it is not found.
        part: Of the training split: "train" (the first half, for meta-training and tuning), "choose" (the
            next tenth, for choices) or "report" (the rest, for results); they share no image. None: all.

    Raises:
        ConfigError: For an unknown name, split or part, or a package that is not installed.
        DataError: Where the files are missing or damaged.

    Example:
        >>> digits = load("digits", "test")
        >>> digits.name, digits.images.shape
        ('digits (scikit-learn, 8x8 stand-in)', torch.Size([360, 1, 8, 8]))
    """
    if name not in NAMES:
        raise ConfigError(f"unknown data set {name!r}; known data sets: {', '.join(NAMES)}")
    if split not in SPLITS:
        raise ConfigError(f"unknown split {split!r}; known splits: {', '.join(SPLITS)}")
    if part is not None and split != "train":
        raise ConfigError(f"the training split has parts, not {split!r}; leave out part={part!r}")
    parts.check(part)
    images, labels = _digits(split) if name == "digits" else _find(name, split, download)
    title, classes, (channels, rows), sizes = _KNOWN[name]
    if images.shape != (len(labels), channels, rows, rows) or not len(labels):
        raise DataError(
            f"{title} {split}: {images.shape} images and {len(labels)} labels do not fit together"
        )
    whole = sizes[SPLITS.index(split)]
    title += "" if len(labels) == whole else f" ({len(labels)} of {whole} {split} images)"
    whole_split = ImageData(title, torch.tensor(images), torch.tensor(labels.astype(np.int64)), classes)
    if part is None:
        return whole_split
    chosen = parts.rows(whole_split.images, part)
    return replace(whole_split, images=whole_split.images[chosen], labels=whole_split.labels[chosen])


def roots() -> list[Path]:
    """The folders in which data is looked for, in order; the last is the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "l2o"
    own = os.environ.get("L2O_DATA_ROOT")
    return [Path(own).expanduser(), cache] if own else [cache]


def _find(name: str, split: str, download: bool) -> _Arrays:
    for root in roots():
        for pattern, read in _LAYOUTS[name]:
            files = sorted(root.glob(pattern.format(split=split, idx=_IDX[split], batch=_BATCH[split])))
            if files:
                return _guarded(read, files)
    title = _KNOWN[name][0]
    if not download:
        looked = " and ".join(str(root) for root in roots())
        raise DataError(
            f"{title} not found in {looked}: set L2O_DATA_ROOT to the folder that holds it "
            f"(torchvision's layout), or call with download=True"
        )
    _download(title, roots()[-1])
    return _find(name, split, download=False)


def _guarded(read: Callable[[list[Path]], _Arrays], files: list[Path]) -> _Arrays:
    try:
        return read(files)
    except (OSError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise DataError(f"cannot read {files[0]}: {error}; delete it and fetch it again") from error


def _download(title: str, root: Path) -> None:
    from .torchvision_ops import torchvision

    root.mkdir(parents=True, exist_ok=True)
    try:
        getattr(torchvision("datasets"), title)(root, download=True)
    except (OSError, RuntimeError) as error:
        raise DataError(f"could not download {title} to {root}: {error}") from error


def _digits(split: str) -> _Arrays:
    with optional_import("the data set of digits", extra="distill"):
        from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.round(digits.images * (255 / 16)).astype(np.uint8)[:, None]
    # The last fifth comes from other writers than the first.
    chosen = slice(None, 1437) if split == "train" else slice(1437, None)
    return images[chosen], digits.target[chosen]


def _read_idx(files: list[Path]) -> _Arrays:
    """MNIST's own format, plain or gzipped; the file of the labels lies beside that of the images."""
    path = files[0]
    arrays = []
    for file, header in ((path, 16), (path.with_name(path.name.replace("images-idx3", "labels-idx1")), 8)):
        raw = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        arrays.append(np.frombuffer(raw, np.uint8, offset=header))
    return arrays[0].reshape(-1, 1, 28, 28), arrays[1]


def _read_webp(files: list[Path]) -> _Arrays:
    with optional_import("reading WebP images", extra="distill"):
        from PIL import Image

    images = [np.asarray(Image.open(file)).reshape(-1, 32, 32, 3) for file in files]
    labels = files[0].with_name(files[0].name.split("_")[0] + "_labels.npy")
    return np.concatenate(images).transpose(0, 3, 1, 2), np.load(labels, allow_pickle=False)


def _read_binary(files: list[Path]) -> _Arrays:
    """CIFAR's binary version: rows of label byte(s), the fine one last, and 3072 pixels."""
    label_bytes = 2 if "100" in files[0].parent.name else 1
    rows = np.concatenate([np.fromfile(file, np.uint8).reshape(-1, label_bytes + 3072) for file in files])
    return rows[:, label_bytes:].reshape(-1, 3, 32, 32), rows[:, label_bytes - 1]


def _read_pickles(files: list[Path]) -> _Arrays:
    images, labels = [], []
    for file in files:
        with file.open("rb") as stream:
            batch = _ArrayUnpickler(stream, encoding="bytes").load()
        images.append(np.asarray(batch[b"data"], np.uint8).reshape(-1, 3, 32, 32))
        labels.append(np.asarray(batch.get(b"fine_labels", batch.get(b"labels"))))
    return np.concatenate(images), np.concatenate(labels)


class _ArrayUnpickler(pickle.Unpickler):
    """Reads the pickles that CIFAR comes in: builtin containers and NumPy arrays only, so no code can run."""

    def find_class(self, module: str, name: str) -> object:
        if name == "_reconstruct" and module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            return np.empty(0).__reduce__()[0]  # the same function, wherever this NumPy keeps it
        if module == "numpy" and name in ("ndarray", "dtype"):
            return getattr(np, name)
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a file of images")


# title, classes, (channels, rows), (train images, test images)
_KNOWN = {
    "mnist": ("MNIST", 10, (1, 28), (60_000, 10_000)),
    "cifar10": ("CIFAR10", 10, (3, 32), (50_000, 10_000)),
    "cifar100": ("CIFAR100", 100, (3, 32), (50_000, 10_000)),
    "digits": ("digits (scikit-learn, 8x8 stand-in)", 10, (1, 8), (1437, 360)),
}
NAMES = tuple(_KNOWN)
_IDX = {"train": "train", "test": "t10k"}
_BATCH = {"train": "data_batch_[1-5]", "test": "test_batch"}
_LAYOUTS = {
    "mnist": (
        ("MNIST/raw/{idx}-images-idx3-ubyte", _read_idx),
        ("MNIST/raw/{idx}-images-idx3-ubyte.gz", _read_idx),
    ),
    "cifar10": (
        ("CIFAR10/{split}_[0-9]*.webp", _read_webp),
        ("cifar-10-batches-bin/{batch}.bin", _read_binary),
        ("cifar-10-batches-py/{batch}", _read_pickles),
    ),
    "cifar100": (
        ("CIFAR100/{split}_[0-9]*.webp", _read_webp),
        ("cifar-100-binary/{split}.bin", _read_binary),
        ("cifar-100-python/{split}", _read_pickles),
    ),
}
