"""The official metrics of GLUE."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import DataError, optional_import
from .glue import GLUE


def official_scores(task: str, predicted: Sequence[int], labels: Sequence[int]) -> dict[str, float]:
    """The metrics that GLUE prescribes for a task, in percent, over all rows at once.

    Args:
        task: Of `GLUE`: Matthews correlation ("matthews") for "cola", accuracy and the F1 of class 1
            for "mrpc" and "qqp", accuracy for the others.
        predicted: The predicted class of each row.
        labels: The class of each row.

    Raises:
        ConfigError: Where scikit-learn is not installed.
        DataError: If the two do not have the same length, or are empty.

    Example:
        >>> official_scores("mrpc", [1, 1, 1, 1], [1, 0, 1, 1])["accuracy"]
        75.0
    """
    if len(predicted) != len(labels) or not len(labels):
        raise DataError(f"{len(predicted)} predictions and {len(labels)} labels; give one for each row")
    with optional_import("scoring GLUE", extra="text"):
        from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

    metrics = {
        "accuracy": accuracy_score,
        "f1": lambda truth, guess: f1_score(truth, guess, zero_division=0.0),
        "matthews": matthews_corrcoef,
    }
    return {name: 100 * float(metrics[name](labels, predicted)) for name in GLUE[task].metrics}
