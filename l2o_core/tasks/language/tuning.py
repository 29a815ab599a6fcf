"""Instruction tuning with any PyTorch optimizer, continued after a kill to the same result."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...arguments import LARGEST_SEED, find_device, positive, whole
from ...errors import optional_import
from ...storage import Checkpoint
from ..schedule import check_warmup, linear
from ..text.costs import Clock, state_bytes
from ..text.fine_tuning import described, has_bfloat16
from .batches import Row, chosen, encoded, mean_loss, padded, summed_loss
from .instructions import Instructions
from .lora import LoRA
from .models import LanguageModel

Params = list[nn.Parameter]


@dataclass(frozen=True)
class Tuned:
    """What a tuning gave. Losses are cross-entropies of a token of the answers, in nats.

    Args:
        title: The model and the data, for titles and records.
        losses: The training loss of each step, on its batch, before the step.
        seconds: Of training, after each step, over all the processes that had a share in it.
        held_out_steps: The steps after which the loss on the held-out rows was measured, from 0 on.
        held_out: That loss; not a number after the steps of a run that diverged.
        optimizer_seconds: The part of all seconds that the steps of the optimizer took.
        tokens: Of the answers that it was trained on.
        parameters: The number of parameters that were trained.
        state_bytes: The size of the optimizer's state.
        diverged: Whether a loss was not a finite number; training ends there.
        network: The trained network.
    """

    title: str
    losses: tuple[float, ...]
    seconds: tuple[float, ...]
    held_out_steps: tuple[int, ...]
    held_out: tuple[float, ...]
    optimizer_seconds: float
    tokens: int
    parameters: int
    state_bytes: int
    diverged: bool
    network: nn.Module

    @property
    def state_bytes_per_parameter(self) -> float:
        """Bytes of the optimizer's state for each trained parameter; AdamW has 8 in single precision."""
        return self.state_bytes / self.parameters


def tune(
    model: LanguageModel,
    train: Instructions,
    held_out: Instructions,
    optimizer: Callable[[Params], torch.optim.Optimizer],
    *,
    steps: int = 100,
    batch: int = 8,
    length: int = 128,
    lora: LoRA | None = None,
    warmup: float = 0.1,
    clip: float = 1.0,
    evaluations: int = 5,
    seed: int = 0,
    device: str = "cpu",
    bfloat16: bool | None = None,
    checkpoint: str | Path | None = None,
    progress: bool = True,
) -> Tuned:
    """Train a language model to give the answers of instructions; only the answers count in its loss.

    All that is not the optimizer is the same for every optimizer: a learning rate that rises from 0 over the
    first steps and then falls to 0, both linearly; gradients clipped together; the rows of each step.

    Args:
        model: The language model.
        train: Rows to train on.
        held_out: Rows to measure on, all of them.
        optimizer: Makes the optimizer of the parameters, such as
            `lambda params: torch.optim.AdamW(params, lr=1e-4)`; its learning rates are the highest ones.
        steps: Of training.
        batch: Rows in a minibatch.
        length: Most tokens of a row; longer ones are cut, those without room for an answer left out.
        lora: The change that is trained; None: all weights are.
        warmup: The share of the steps over which the learning rate rises.
        clip: The largest norm of the gradient of all parameters; `math.inf`: it is not clipped.
        evaluations: How often the held-out loss is measured, besides before the first step.
        seed: Of the order of rows, of LoRA's matrices, and of dropout.
        device: "cpu" or "cuda".
        bfloat16: Whether to compute in bfloat16 where autocast allows; None: where the processor can.
        checkpoint: A file that keeps the run at each evaluation. A killed run that is called again continues
            from there, to the same result; None keeps nothing.
        progress: Whether to show a progress bar.

    Raises:
        ConfigError: For an option that makes no sense, or a package that is not installed.
        DataError: Where the model's weights are missing or damaged, or no answer has room.
        CheckpointError: If the checkpoint is damaged, or belongs to another run.
    """
    _check(locals())
    steps, batch, length, evaluations, seed = map(int, (steps, batch, length, evaluations, seed))
    where = find_device(device)
    half = has_bfloat16(where) if bfloat16 is None else bfloat16
    rows, others = encoded(model, train, length), encoded(model, held_out, length)
    network = model.network(lora, seed).to(where).train()
    named = {name: part for name, part in network.named_parameters() if part.requires_grad}
    rule = optimizer(list(named.values()))
    identity = model.identity | {"rows": train.identity, "held out": held_out.identity, "steps": steps}
    identity |= {"batch": batch, "length": length, "lora": asdict(lora) if lora else None, "clip": clip}
    identity |= {"warmup": warmup, "evaluations": evaluations, "seed": seed, "device": where.type}
    identity |= {"bfloat16": half, "optimizer": described(rule)}
    store = Checkpoint(checkpoint, identity) if checkpoint else None
    run = _Run(named, rule, steps, warmup, clip)
    run.restore(store)
    if store and len(run.losses) < steps and not run.diverged:
        store.check()
    stops = sorted({round(part * steps / evaluations) for part in range(evaluations + 1)})

    def measured() -> float:
        return mean_loss(network, others, batch, model.end, where, half)

    with torch.random.fork_rng(), _bar(steps, len(run.losses), progress) as tell:
        if not run.held_out:
            run.held_out[0] = measured()
        while len(run.losses) < steps and not run.diverged:
            run.step(network, _batch(rows, batch, len(run.losses), seed), model.end, where, half)
            done = len(run.losses)
            if done in stops or run.diverged:
                run.held_out[done] = math.nan if run.diverged else measured()
                run.keep(store)
            tell(run.losses[-1], run.held_out)
    return Tuned(
        title=f"{model.title}, {train.name}",
        losses=tuple(run.losses),
        seconds=tuple(run.seconds),
        held_out_steps=tuple(run.held_out),
        held_out=tuple(run.held_out.values()),
        optimizer_seconds=run.clock.steps,
        tokens=run.tokens,
        parameters=sum(part.numel() for part in named.values()),
        state_bytes=state_bytes(rule),
        diverged=run.diverged or not math.isfinite(list(run.held_out.values())[-1]),
        network=network.eval(),
    )


def _check(options: dict[str, Any]) -> None:
    for name, least in (("steps", 1), ("batch", 1), ("length", 2), ("evaluations", 1)):
        whole(name, options[name], least)
    whole("seed", options["seed"], 0, LARGEST_SEED)
    positive("clip", options["clip"], "a norm", infinite=True)
    check_warmup(options["warmup"])


@dataclass
class _Run:
    """A training that can be kept and restored: its parameters, its optimizer, and what it has seen."""

    named: dict[str, nn.Parameter]
    rule: torch.optim.Optimizer
    total: int
    warmup: float
    clip: float
    losses: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    held_out: dict[int, float] = field(default_factory=dict)
    tokens: int = 0

    def __post_init__(self) -> None:
        self.clock = Clock(self.rule, {})
        self.rates = [group["lr"] for group in self.rule.param_groups]

    @property
    def diverged(self) -> bool:
        return bool(self.losses) and not math.isfinite(self.losses[-1])

    def step(
        self, network: nn.Module, rows: tuple[list[Row], int], end: int, device: torch.device, half: bool
    ) -> None:
        """One step on some rows, at the learning rate of the schedule; dropout's seed comes with the rows."""
        self.clock.start()
        torch.manual_seed(rows[1])
        tokens, labels = padded(rows[0], end, device)
        loss, count = summed_loss(network, tokens, labels, half)
        loss = loss / count
        self.losses.append(loss.item())
        if not self.diverged:
            self.rule.zero_grad()
            loss.backward()
            if self.clip < math.inf:
                nn.utils.clip_grad_norm_(list(self.named.values()), self.clip)
            share = linear(len(self.losses) - 1, self.total, self.warmup)
            for group, rate in zip(self.rule.param_groups, self.rates, strict=True):
                group["lr"] = rate * share
            self.rule.step()
        self.tokens += count
        self.clock.lap()
        self.seconds.append(self.clock.seconds)

    def keep(self, store: Checkpoint | None) -> None:
        """Write all of it to a file."""
        if store:
            store.save(
                {
                    "parameters": {name: part.detach().cpu() for name, part in self.named.items()},
                    "optimizer": self.rule.state_dict(),
                    "losses": self.losses,
                    "seconds": self.seconds,
                    "held_out": list(self.held_out.items()),
                    "tokens": self.tokens,
                    "optimizer_seconds": self.clock.steps,
                }
            )

    def restore(self, store: Checkpoint | None) -> None:
        """Read what was kept, if anything was."""
        saved = store.load() if store else None
        if store is None or saved is None:
            return
        try:
            kept: dict[str, Tensor] = saved["parameters"]
            with torch.no_grad():
                for name, part in self.named.items():
                    part.copy_(kept[name])
            self.rule.load_state_dict(saved["optimizer"])
            self.losses, self.seconds = list(saved["losses"]), list(saved["seconds"])
            self.held_out, self.tokens = dict(saved["held_out"]), saved["tokens"]
            self.clock.seconds = self.seconds[-1] if self.seconds else 0.0
            self.clock.steps = saved["optimizer_seconds"]
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise store.damaged(error) from error


def _batch(rows: list[Row], batch: int, step: int, seed: int) -> tuple[list[Row], int]:
    return [rows[i] for i in chosen(len(rows), batch, step, seed)], 1_000_003 * seed + step


@contextmanager
def _bar(steps: int, done: int, show: bool) -> Iterator[Callable[[float, dict[int, float]], None]]:
    """A progress bar that is told the losses of each step."""
    if not show:
        yield lambda loss, held_out: None
        return
    with optional_import("a progress bar", extra="language"):
        from tqdm.auto import tqdm
    with tqdm(total=steps, initial=done, desc="tuning", unit="step") as bar:

        def tell(loss: float, held_out: dict[int, float]) -> None:
            last = list(held_out.values())[-1]
            bar.set_postfix(loss=f"{loss:.3f}", held_out=f"{last:.3f}", refresh=False)
            bar.update()

        yield tell
