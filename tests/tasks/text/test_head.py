"""The frozen-encoder probe: what BERT computes, and an optimizee like the others."""

import pytest
import torch
from torch.nn.functional import cross_entropy, linear

from l2o_core import meta, models, tasks
from l2o_core.errors import CheckpointError
from l2o_core.storage import Cache
from l2o_core.tasks import text

pytest.importorskip("transformers")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # theirs are their own


@pytest.fixture
def head(tiny_bert, glue_root):
    return tasks.load("sst2_head", encoder=str(tiny_bert), part="train", batch=8)


def test_the_vectors_are_the_encoders_one_row_at_a_time(tiny_bert, glue_root):
    encoder, data = text.Encoder(str(tiny_bert)), text.load("sst2")
    vectors, body = text.sentence_vectors(encoder, data), encoder.body()
    for i in (0, 7, 39):
        ids = torch.tensor([encoder.encode(data)[i]["input_ids"]])
        with torch.no_grad():
            torch.testing.assert_close(vectors[i], body(ids).last_hidden_state[0, 0])


def test_vectors_are_kept_for_the_same_text_and_weights_only(tiny_bert, glue_root, tmp_path):
    encoder, cache = text.Encoder(str(tiny_bert)), Cache(tmp_path / "cache")
    train, dev = text.load("sst2"), text.load("sst2", "report")
    first = text.sentence_vectors(encoder, train, cache=cache)
    assert torch.equal(text.sentence_vectors(encoder, train, cache=cache), first)
    text.sentence_vectors(encoder, dev, cache=cache)
    text.sentence_vectors(encoder, dev, length=6, cache=cache)
    files = [*(tmp_path / "cache").glob("sentence_vectors/*")]
    assert len(files) == 3
    for file in files:
        file.write_bytes(files[0].read_bytes()[:100])
    with pytest.raises(CheckpointError, match="cut short"):
        text.sentence_vectors(encoder, train, cache=cache)


def test_losses_are_those_of_a_linear_layer(head):
    generator = head.generator(0)
    params, (vectors, labels) = head.init(generator, 3), next(head.batches(generator, 3))
    assert head.layers == {"weight": 32, "bias": 2}
    assert torch.equal(params[:, 32:], torch.zeros(3, 2))
    params = torch.randn(3, 34)
    for i, loss in enumerate(head.loss(params, (vectors, labels))):
        scores = linear(vectors[i], params[i, :32].view(16, 2).T, params[i, 32:])
        torch.testing.assert_close(loss, cross_entropy(scores, labels[i]))


def test_the_rows_of_the_parts_are_those_of_the_data(tiny_bert, glue_root):
    for part in ("train", "choose", "report"):
        head = tasks.load("sst2_head", encoder=str(tiny_bert), part=part)
        assert head.labels.tolist() == [*text.load("sst2", part).labels]
        assert "frozen" in head.dataset
        assert head.identity["part"] == part


def test_scores_are_the_official_ones_over_all_rows(head):
    params = torch.zeros(2, head.n)
    params[0, -1], params[1, -2] = 1, 1  # always class 1; always class 0
    ones = 100 * head.labels.float().mean().item()
    assert [score["accuracy"] for score in head.scores(params)] == pytest.approx([ones, 100 - ones])


def test_learned_optimizers_and_equations_run_on_it(head):
    losses = meta.evaluate(models.Equation("-0.02 * m_hat"), head, steps=150, instances=4)
    assert losses[:, -20:].mean() < losses[:, :20].mean()
    sol = models.SOL()
    history = meta.meta_train(sol, head, epochs=1, steps=4, unroll=2, instances=1, progress=False)
    assert len(history.losses) == 1
