"""In other people's training loops: Accelerate, Lightning, and the Trainer of Transformers."""

import logging

import pytest
import torch
from torch import nn
from torch.nn.functional import mse_loss
from torch.nn.utils import parameters_to_vector
from torch.utils.data import DataLoader, Dataset, TensorDataset

from l2o_core.optim import SymbolicOptimizer
from l2o_core.torchvision_ops import torchvision

pytestmark = pytest.mark.filterwarnings("ignore")  # theirs are their own

RULE = "-m_hat - 0.3 * tanh(g_hat[2])"


@pytest.fixture(autouse=True)
def quiet_imports():
    """They import torchvision, which must find the operators that a CPU build lacks; and give no advice."""
    torchvision("transforms")
    names = ("lightning", "lightning.pytorch", "lightning.fabric", "transformers")
    before = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.ERROR)
    yield
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


def regression() -> tuple[nn.Module, DataLoader]:
    """A small network, and eight batches that come in the same order every time."""
    torch.manual_seed(0)
    inputs = torch.randn(32, 5)
    model = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 1))
    return model, DataLoader(TensorDataset(inputs, inputs.sum(1, keepdim=True)), batch_size=4)


def optimizer_of(model: nn.Module) -> tuple[SymbolicOptimizer, torch.optim.lr_scheduler.LRScheduler]:
    """A rule with a past, and a schedule that changes every step."""
    optimizer = SymbolicOptimizer(model.parameters(), RULE, lr=0.1, weight_decay=0.01)
    return optimizer, torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)


def plain(accumulated: int = 1, epochs: int = 1) -> torch.Tensor:
    """The weights after PyTorch's own loop, each step on the mean gradient of some batches."""
    model, batches = regression()
    optimizer, schedule = optimizer_of(model)
    for _ in range(epochs):
        for number, (x, y) in enumerate(batches, start=1):
            (mse_loss(model(x), y) / accumulated).backward()
            if number % accumulated == 0:
                optimizer.step()
                schedule.step()
                optimizer.zero_grad()
    return parameters_to_vector(model.parameters()).detach()


@pytest.mark.parametrize("accumulated", [1, 2])
def test_accelerate_takes_the_same_steps(accumulated):
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=accumulated)
    model, batches = regression()
    model, batches, optimizer, schedule = accelerator.prepare(model, batches, *optimizer_of(model))
    for x, y in batches:
        with accelerator.accumulate(model):
            accelerator.backward(mse_loss(model(x), y))
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
    assert torch.equal(parameters_to_vector(model.parameters()).detach(), plain(accumulated))


def test_lightning_takes_the_same_steps(tmp_path):
    from lightning.pytorch import LightningModule, Trainer

    class Regression(LightningModule):
        def __init__(self, model: nn.Module):
            super().__init__()
            self.model = model

        def training_step(self, batch: list[torch.Tensor], index: int) -> torch.Tensor:
            x, y = batch
            return mse_loss(self.model(x), y)

        def configure_optimizers(self) -> dict:
            optimizer, schedule = optimizer_of(self.model)
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    model, batches = regression()
    quiet = dict.fromkeys(
        ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False
    )
    trainer = Trainer(accelerator="cpu", max_epochs=2, default_root_dir=tmp_path, **quiet)
    trainer.fit(Regression(model), batches)
    assert torch.equal(parameters_to_vector(model.parameters()).detach(), plain(epochs=2))


class Sentences(Dataset):
    """Is the first word of the sentence one of the later ones in the dictionary?"""

    def __len__(self) -> int:
        return 128

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        words = torch.randint(2, 50, (12,), generator=torch.Generator().manual_seed(index))
        return {
            "input_ids": words,
            "attention_mask": torch.ones_like(words),
            "labels": (words[0] > 25).long(),
        }


def trained(folder, epochs: int, resume: str | None = None) -> torch.Tensor:
    """The weights of a small BERT at the end."""
    import transformers

    torch.manual_seed(0)
    size = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    model = transformers.BertForSequenceClassification(transformers.BertConfig(vocab_size=50, **size))
    optimizer = SymbolicOptimizer(model.parameters(), RULE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.99**step)
    options = {"num_train_epochs": epochs, "save_strategy": "epoch", "per_device_train_batch_size": 32}
    options |= {"report_to": [], "use_cpu": True, "disable_tqdm": True, "seed": 0}
    trainer = transformers.Trainer(
        model,
        transformers.TrainingArguments(str(folder), **options),
        train_dataset=Sentences(),
        optimizers=(optimizer, schedule),
    )
    trainer.train(resume_from_checkpoint=resume)
    return parameters_to_vector(model.parameters()).detach()


def test_the_trainer_of_transformers_resumes_a_checkpoint_exactly(tmp_path):
    whole = trained(tmp_path / "whole", 3)
    trained(tmp_path / "part", 2)
    (latest,) = (tmp_path / "part").glob("checkpoint-8")
    assert torch.equal(trained(tmp_path / "part", 3, resume=str(latest)), whole)
