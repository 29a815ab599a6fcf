"""Models survive the disk unchanged; damaged or foreign files are refused."""

import json

import pytest
import torch
from safetensors.torch import save_file

from l2o_core import models
from l2o_core.errors import CheckpointError, ConfigError
from l2o_core.models import store
from l2o_core.models.cards import card

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


def write(path, architecture="Equation", options=None, tensors=None, training="{}"):
    header = {"architecture": architecture, "features": "[]", "training": training}
    header["options"] = options if isinstance(options, str) else json.dumps(options)
    save_file(tensors or {"constants": torch.zeros(0)}, path, metadata=header)


ODD = [10**6, 10**12, -1, "x", None, [1], 1.5]
HOSTILE = [
    *({"architecture": name, "options": {"hidden": value}} for name in ("RP", "DM", "SOL") for value in ODD),
    *({"architecture": "SOL", "options": {"copies": value}} for value in ODD),
    *({"architecture": "RP", "options": {"layers": value}} for value in ODD),
    *({"options": {"rule": rule}} for rule in (3, "os.system('x')", "qq")),
    *({"options": {"rule": "c*g", "coefficients": value}} for value in ([1], {"c": "x"}, 3)),
    {"options": {"rule": "g", "beta1": "x"}},
    {"options": "[" * 100_000},
    {"options": {"rule": "g"}, "training": "[" * 100_000},
    {"options": {"rule": "2*g"}, "tensors": {"constants": torch.ones(1, dtype=torch.int64)}},
    {"options": {"rule": "2*g"}, "tensors": {"constants": torch.full((1,), float("nan"))}},
    {"architecture": "Nothing", "options": {}},
]


@pytest.mark.parametrize("content", HOSTILE, ids=lambda content: str(content)[:60])
def test_a_header_that_makes_no_sense_is_refused_before_anything_is_built(tmp_path, content):
    write(tmp_path / "m.safetensors", **content)
    with pytest.raises(CheckpointError, match=r"m\.safetensors"):
        models.load(tmp_path / "m.safetensors")


def test_a_flipped_bit_is_noticed(tmp_path):
    path = models.save(tmp_path / "m.safetensors", models.RPSmall())
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="not what was written"):
        models.load(path)


def test_the_draft_of_a_killed_writer_is_no_model(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "PRETRAINED", tmp_path)
    (tmp_path / ".4711-140-p1.safetensors").write_bytes(b"half")
    assert models.pretrained() == []


@pytest.mark.parametrize(
    "make", [models.DM, models.RP, models.RPSmall, models.SOL], ids=lambda make: make.__name__
)
@pytest.mark.parametrize("value", [0, "7", 1.5, True])
def test_options_of_another_type_are_refused(make, value):
    with pytest.raises(ConfigError, match="hidden must be"):
        make(hidden=value)


def test_a_model_without_a_record_has_no_card(tmp_path):
    path = models.save(tmp_path / "m.safetensors", models.RPSmall())
    with pytest.raises(CheckpointError, match="no complete record"):
        card(path)


def test_a_missing_model_is_named():
    with pytest.raises(ConfigError, match="no pretrained model named 'dm/nowhere'"):
        models.load("dm/nowhere")
