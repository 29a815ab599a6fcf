"""Where the extra is not installed, the error names it."""

import sys

import pytest

from l2o_core import tasks
from l2o_core.errors import ConfigError
from l2o_core.tasks import text


def test_encoders_and_heads_name_the_extra(glue_root, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    message = r"a pretrained encoder needs transformers: pip install 'l2o_core\[text\]'"
    with pytest.raises(ConfigError, match=message):
        text.Encoder()
    with pytest.raises(ConfigError, match=message):
        tasks.load("sst2_head")


def test_metrics_name_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.metrics", None)
    with pytest.raises(ConfigError, match=r"scoring GLUE needs sklearn: pip install 'l2o_core\[text\]'"):
        text.official_scores("cola", [1], [1])


def test_fine_tuning_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "accelerate", None)
    data = text.TextData("sst2", "SST-2", (("fine",),), (1,), 2)
    with pytest.raises(ConfigError, match=r"fine-tuning needs accelerate: pip install 'l2o_core\[text\]'"):
        text.fine_tune(None, data, data, None)
