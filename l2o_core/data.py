"""Image data sets, found on disk and read into tensors.

A data set is looked for under `$L2O_DATA_ROOT`, then in the user's cache (`$XDG_CACHE_HOME/l2o`, by default
`~/.cache/l2o`), and is downloaded into that cache only on request. The layouts are torchvision's, the binary
versions of CIFAR, and strips of lossless WebP (`CIFAR10/train_000.webp`, 500 images below each other).

Torchvision downloads; its readers are not used: that of CIFAR unpickles, which can run code, that of MNIST
refuses a folder with one split or with gzipped files, and both take as long to import as torch itself.
"""

from __future__ import annotations

import gzip
import io
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from . import parts
from .errors import ConfigError, DataError, optional_import
from .pickles import read_arrays
from .storage import bounded

__all__ = ["NAMES", "SPLITS", "ImageData", "load", "roots"]

SPLITS = ("train", "test")
_Arrays = tuple[np.ndarray, np.ndarray]
_LARGEST = 50_000 * (2 + 3072) + 1_000_000  # bytes of the largest file, and something for its header


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
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= classes:
        raise DataError(
            f"{title} {split}: labels must lie between 0 and {classes - 1}; fetch the files again"
        )
    whole = sizes[SPLITS.index(split)]
    title += "" if len(labels) == whole else f" ({len(labels)} of {whole} {split} images)"
    whole_split = ImageData(title, torch.tensor(images), torch.tensor(labels.astype(np.int64)), classes)
    if part is None:
        return whole_split
    chosen = parts.rows(whole_split.images, part)
    return replace(whole_split, images=whole_split.images[chosen], labels=whole_split.labels[chosen])


def roots() -> list[Path]:
    """The folders in which data is looked for, in order; the last is the user's cache.

    Raises:
        DataError: Where neither a folder for data nor a home is known.
    """
    own, kept = os.environ.get("L2O_DATA_ROOT"), os.environ.get("XDG_CACHE_HOME")
    try:
        mine = [Path(own).expanduser()] if own else []
    except RuntimeError:
        raise DataError(
            f"L2O_DATA_ROOT is {own}, and there is no home folder; set it to a whole path"
        ) from None
    try:
        return [*mine, Path(kept or Path.home() / ".cache") / "l2o"]
    except RuntimeError:
        if mine:
            return mine
        raise DataError("there is no home folder to look for data in; set L2O_DATA_ROOT") from None


def _find(name: str, split: str, download: bool) -> _Arrays:
    for root in roots():
        for pattern, read in _LAYOUTS[name]:
            files = sorted(root.glob(pattern.format(split=split, idx=_IDX[split], batch=_BATCH[split])))
            if files:
                return read(files)
    title = _KNOWN[name][0]
    if not download:
        looked = " and ".join(str(root) for root in roots())
        raise DataError(
            f"{title} not found in {looked}: set L2O_DATA_ROOT to the folder that holds it "
            f"(torchvision's layout), or call with download=True"
        )
    _download(title, roots()[-1])
    return _find(name, split, download=False)


@contextmanager
def reading(file: Path) -> Iterator[bytes]:
    """The content of a file, as far as the largest goes; whatever goes wrong with it bears its name."""
    opened: Callable[..., Any] = gzip.open if file.suffix == ".gz" else open
    try:
        with opened(file, "rb") as stream:
            content = bounded(stream, _LARGEST)
        yield content
    except Exception as error:  # a damaged file may fail in any way: in its headers, compression, sizes
        raise DataError(f"cannot read {file}: {str(error)[:200]}; delete it and fetch it again") from error


def _download(title: str, root: Path) -> None:
    from .torchvision_ops import torchvision

    try:
        root.mkdir(parents=True, exist_ok=True)
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
    for file, magic in (
        (path, 2051),
        (path.with_name(path.name.replace("images-idx3", "labels-idx1")), 2049),
    ):
        with reading(file) as raw:
            dimensions = magic % 256
            found, *shape = np.frombuffer(raw, ">u4", count=1 + dimensions).tolist()
            content = np.frombuffer(raw, np.uint8, offset=4 + 4 * dimensions)
            if found != magic or len(content) != math.prod(shape) or shape[1:] not in ([], [28, 28]):
                raise ValueError("its header does not fit it")
            arrays.append(content.reshape(shape))
    return arrays[0][:, None], arrays[1]


def _read_webp(files: list[Path]) -> _Arrays:
    with optional_import("reading WebP images", extra="distill"):
        from PIL import Image

    images, left = [], 32 * 50_000
    for file in files:
        with reading(file) as content:
            strip = Image.open(io.BytesIO(content), formats=["WEBP"])
            left -= strip.height
            if strip.width != 32 or left < 0:
                raise ValueError(f"{strip.width} x {strip.height} pixels are no strip of images")
            images.append(np.asarray(strip.convert("RGB")).reshape(-1, 32, 32, 3))
    labels = files[0].with_name(files[0].name.split("_")[0] + "_labels.npy")
    with reading(labels) as content:
        numbers = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
        if numbers.ndim != 1:
            raise ValueError(f"labels are one row of integers, not {numbers.dtype} {numbers.shape}")
    return np.concatenate(images).transpose(0, 3, 1, 2), numbers


def _read_binary(files: list[Path]) -> _Arrays:
    """CIFAR's binary version: rows of label byte(s), the fine one last, and 3072 pixels."""
    label_bytes = 2 if "100" in files[0].parent.name else 1
    parts = []
    for file in files:
        with reading(file) as content:
            parts.append(np.frombuffer(content, np.uint8).reshape(-1, label_bytes + 3072))
    rows = np.concatenate(parts)
    return rows[:, label_bytes:].reshape(-1, 3, 32, 32), rows[:, label_bytes - 1]


def _read_pickles(files: list[Path]) -> _Arrays:
    images, labels = [], []
    for file in files:
        with reading(file) as content:
            batch = read_arrays(content, "a file of images")
            pixels, numbers = batch[b"data"], batch.get(b"fine_labels", batch.get(b"labels"))
            if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8:
                raise ValueError("its images are no bytes")
            if not isinstance(numbers, list) or not all(type(number) is int for number in numbers):
                raise ValueError("its labels are no integers")
            images.append(pixels.reshape(-1, 3, 32, 32))
            labels.append(np.asarray(numbers))
    return np.concatenate(images), np.concatenate(labels)


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
