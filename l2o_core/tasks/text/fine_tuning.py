"""Fine-tuning of a whole encoder by the Trainer of Hugging Face, with any PyTorch optimizer."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...arguments import LARGEST_SEED, find_device, positive, whole
from ...errors import ConfigError, optional_import
from ..schedule import check_warmup
from .costs import Clock, state_bytes
from .encoders import Encoder
from .glue import TextData
from .run_folder import claim, seal, seconds_before
from .scoring import official_scores


@dataclass(frozen=True)
class FineTuned:
    """What a fine-tuning gave.

    Args:
        title: The encoder and the data, for titles and records.
        scores: The official metrics after the last epoch, in percent, over all rows of the held-out data.
        held_out_loss: The mean cross-entropy of these rows, in nats.
        losses: The training loss of each step, on its batch, before the step.
        seconds: Of training, over all the processes that had a share in it.
        optimizer_seconds: The part of them that the steps of the optimizer took.
        parameters: The number of parameters.
        state_bytes: The size of the optimizer's state.
        diverged: Whether a loss or a prediction was not a finite number; training ends there.
    """

    title: str
    scores: dict[str, float]
    held_out_loss: float
    losses: tuple[float, ...]
    seconds: float
    optimizer_seconds: float
    parameters: int
    state_bytes: int
    diverged: bool

    @property
    def state_bytes_per_parameter(self) -> float:
        """Bytes of the optimizer's state for each parameter; AdamW has 8 in single precision."""
        return self.state_bytes / self.parameters


def fine_tune(
    encoder: Encoder,
    train: TextData,
    held_out: TextData,
    optimizer: Callable[[list[nn.Parameter]], torch.optim.Optimizer],
    *,
    epochs: int = 3,
    batch: int = 32,
    length: int = 128,
    warmup: float = 0.1,
    clip: float = 1.0,
    seed: int = 0,
    device: str = "cpu",
    bfloat16: bool | None = None,
    folder: str | Path | None = None,
    progress: bool = True,
) -> FineTuned:
    """Train an encoder with a fresh head on a task, and measure it after the last epoch.

    All that is not the optimizer is the same for every optimizer: a learning rate that rises from 0 over the
    first steps and then falls to 0, both linearly; gradients clipped together; shuffled batches of rows of
    about the same length; the model's own dropout. The last epoch counts, not the best.

    Args:
        encoder: The pretrained encoder.
        train: Rows to train on.
        held_out: Rows to measure on, all of them.
        optimizer: Makes the optimizer of the parameters, such as
            `lambda params: torch.optim.AdamW(params, lr=1e-4)`; its learning rates are the highest ones.
        epochs: Passes over the rows.
        batch: Rows in a minibatch.
        length: Most tokens of a row.
        warmup: The share of the steps over which the learning rate rises.
        clip: The largest norm of the gradient of all parameters.
        seed: Of the head, the order of rows, and dropout.
        device: "cpu" or "cuda".
        bfloat16: Whether to compute in bfloat16 where autocast allows; None: where the processor can.
        folder: Keeps a checkpoint after each epoch. A killed run that is called again continues from there,
            to the same result; None keeps nothing.
        progress: Whether to show a progress bar.

    Raises:
        ConfigError: For an option that makes no sense, data of two tasks, or a package that is not installed.
        DataError: Where the encoder's weights are missing or damaged.
        CheckpointError: If the folder belongs to another run, or its newest checkpoint is damaged.
    """
    with optional_import("fine-tuning", extra="text"):
        import accelerate
        import transformers
    del accelerate
    whole("epochs", epochs, 1), whole("batch", batch, 1), whole("length", length, 1)
    seed = whole("seed", seed, 0, LARGEST_SEED)
    positive("clip", clip, "a norm", infinite=True)
    check_warmup(warmup)
    if train.task != held_out.task or not len(train) or not len(held_out):
        raise ConfigError(
            f"cannot train on {train.name} and measure on {held_out.name}; give one task's parts"
        )
    where = find_device(device)
    half = has_bfloat16(where) if bfloat16 is None else bfloat16
    with _global_random_numbers(), _folder(folder) as place:
        model = encoder.classifier(train.classes, seed).to(where)
        parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        rule = optimizer(parameters)
        total = epochs * math.ceil(len(train) / batch)
        identity: dict[str, Any] = encoder.identity | {"rows": train.identity, "optimizer": described(rule)}
        identity |= {"epochs": epochs, "batch": batch, "length": length, "warmup": warmup, "clip": clip}
        identity |= {"seed": seed, "bfloat16": half, "device": where.type}
        schedule = transformers.get_linear_schedule_with_warmup(rule, round(warmup * total), total)
        latest = None if folder is None else claim(place, identity)
        clock = Clock(rule, seconds_before(latest))
        trainer = transformers.Trainer(
            model,
            transformers.TrainingArguments(
                str(place),
                num_train_epochs=epochs,
                per_device_train_batch_size=batch,
                per_device_eval_batch_size=64,
                max_grad_norm=clip if clip < math.inf else 0,
                bf16=half,
                use_cpu=where.type == "cpu",
                seed=seed,
                train_sampling_strategy="group_by_length",
                dataloader_pin_memory=where.type != "cpu",
                save_strategy="no" if folder is None else "epoch",
                save_total_limit=2,  # a kill while the newer one is written leaves the older one
                logging_steps=1,
                logging_nan_inf_filter=False,
                report_to=[],
                disable_tqdm=True,
            ),
            data_collator=transformers.DataCollatorWithPadding(encoder.tokenizer),
            train_dataset=encoder.encode(train, length),
            processing_class=encoder.tokenizer,
            optimizers=(rule, schedule),
            callbacks=_callbacks(clock, progress),
        )
        trainer.remove_callback(transformers.PrinterCallback)
        trainer.train(resume_from_checkpoint=str(latest) if latest else None)
        rows: Any = encoder.encode(held_out, length)
        found = trainer.predict(rows)  # in an order of its own: rows of about the same length together
    logits, labels = torch.as_tensor(found.predictions).float(), torch.as_tensor(found.label_ids)
    losses = tuple(float(entry["loss"]) for entry in trainer.state.log_history if "loss" in entry)
    finite = all(map(math.isfinite, losses)) and bool(logits.isfinite().all())
    return FineTuned(
        title=f"{encoder.title}, {train.name}",
        scores=official_scores(train.task, logits.argmax(-1).tolist(), labels.tolist()),
        held_out_loss=nn.functional.cross_entropy(logits, labels).item(),
        losses=losses,
        seconds=clock.seconds,
        optimizer_seconds=clock.steps,
        parameters=sum(parameter.numel() for parameter in parameters),
        state_bytes=state_bytes(rule),
        diverged=not finite,
    )


def has_bfloat16(device: torch.device) -> bool:
    """Whether arithmetic in bfloat16 is a matter of hardware there.

    Args:
        device: Of the model.

    Example:
        >>> has_bfloat16(torch.device("cpu")) in (True, False)
        True
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    abilities: dict[str, Any] = getattr(
        torch.cpu, "get_capabilities", dict
    )()  # older versions of PyTorch lack it
    return any(abilities.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def _callbacks(clock: Clock, progress: bool) -> list[Any]:
    """A bar, an end where the loss is no number, the clock, and a mark in each checkpoint that is whole.

    A checkpoint of a run that has diverged bears no mark: called again, the run would not end there.
    """
    import transformers

    class Watch(transformers.TrainerCallback):
        diverged = False

        def on_train_begin(self, *_: Any, **__: Any) -> None:
            clock.start()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            clock.lap()

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if not math.isfinite((logs or {}).get("loss", 0.0)):
                self.diverged = control.should_training_stop = True

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if not self.diverged:
                checkpoint = Path(args.output_dir, f"checkpoint-{state.global_step}")
                seal(checkpoint, {"seconds": clock.seconds, "optimizer_seconds": clock.steps})

    class Bar(transformers.trainer_callback.ProgressCallback):
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if self.training_bar is not None and "loss" in (logs or {}):
                self.training_bar.set_postfix(loss=f"{logs['loss']:.3f}", refresh=False)

    return [Watch(), Bar()] if progress else [Watch()]


def described(optimizer: torch.optim.Optimizer) -> dict[str, str]:
    """What tells this optimizer from others, as text: its class and its hyper-parameters."""
    groups = [
        {key: str(value) for key, value in group.items() if key != "params"}
        for group in optimizer.param_groups
    ]
    return {"class": type(optimizer).__name__, "groups": json.dumps(groups, sort_keys=True)}


@contextmanager
def _folder(folder: str | Path | None) -> Iterator[Path]:
    if folder is not None:
        yield Path(folder)
        return
    with tempfile.TemporaryDirectory() as place:
        yield Path(place)


@contextmanager
def _global_random_numbers() -> Iterator[None]:
    """Give PyTorch's random numbers back as they were: the Trainer sets their seed."""
    with torch.random.fork_rng():
        yield
