"""Models survive the disk unchanged; damaged or foreign files are refused."""

import pytest
import torch
from safetensors.torch import save_file

from l2o_core import models
from l2o_core.errors import CheckpointError, ConfigError

MODELS = [models.DM(k=5.0), models.RP(projection=3), models.RPSmall(), models.RPSmallExtra(beta1=0.8)]


@pytest.mark.parametrize("model", [*MODELS, models.Equation("-0.1 * m[1]", beta1=0.5)])
def test_round_trip(tmp_path, model):
    path = models.save(tmp_path / "rp.safetensors", model, training={"task": "p2"})
    again = models.load(path)
    assert again.options == model.options
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), model.parameters(), strict=True))


def test_a_file_cut_short_is_refused(tmp_path):
    path = models.save(tmp_path / "dm.safetensors", models.DM())
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="damaged"):
        models.load(path)


def test_a_foreign_file_is_refused(tmp_path):
    save_file({"w": torch.ones(2)}, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match="not a model"):
        models.load(tmp_path / "other.safetensors")


def test_a_missing_model_is_named():
    with pytest.raises(ConfigError, match="no pretrained model named 'dm/nowhere'"):
        models.load("dm/nowhere")
