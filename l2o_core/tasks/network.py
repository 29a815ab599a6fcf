"""Any torch module as an optimizee."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from .classifier import Classifier
from .cross_entropy import mean_cross_entropy
from .flat import initial
from .trial import check_scores


class Network(Classifier):
    """Cross-entropy of a module, its parameters as one vector; instances take turns.

    Normalisation layers stay in training mode, and so does dropout: every step of an instance has a seed of
    its own for what the module draws, so that the seed of the task decides all of it.

    Args:
        name: Of the problem.
        dataset: Of the images, as `data.load` knows it.
        build: Makes the module, images `[B, C, H, W]` to scores `[B, classes]`, with its own initialisation.
        batch: Images in a minibatch.
        part: Of the training images and of the seeds: "train", "choose" or "report"; None: all images.
        low: The value of a black pixel; a white one has `low + 1`.
        augment: Shift images at random by up to 4 pixels, and mirror half of them.
        device: Device of images and parameters.
        download: Download the data set if it is not found.

    Raises:
        ConfigError: As `Classifier` does, and for a module that does not give a score for each class.
        DataError: As `Classifier` does.

    Example:
        >>> task = Network("linear", "digits", lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 10)))
        >>> task.layers
        {'1.weight': 640, '1.bias': 10}
    """

    def __init__(
        self,
        name: str,
        dataset: str,
        build: Callable[[], nn.Module],
        *,
        batch: int = 128,
        part: str | None = None,
        low: float = -0.5,
        augment: bool = False,
        device: str = "cpu",
        download: bool = False,
    ):
        self.build, self.module = build, build().train()
        super().__init__(
            name,
            dataset,
            {key: tuple(parameter.shape) for key, parameter in self.module.named_parameters()},
            batch=batch,
            part=part,
            low=low,
            augment=augment,
            device=device,
            download=download,
        )
        self.module.to(self.device)
        self.draws = self._try()

    @property
    def identity(self) -> dict[str, Any]:
        """That of every classifier, and the module."""
        return super().identity | {"module": repr(self.module)}

    def init(self, generator: torch.Generator, instances: int = 1) -> Tensor:
        """Starting points `[I, n]`, as the module initialises itself."""
        return initial(self.build, generator, instances).to(self.device)

    def batches(self, generator: torch.Generator, instances: int = 1) -> Iterator[tuple[Tensor, ...]]:
        """Images and labels as of every classifier; for a module that draws, a seed for each instance too."""
        for batch in super().batches(generator, instances):
            seeds = (torch.randint(2**31, (instances,), generator=generator),) if self.draws else ()
            yield *batch, *seeds

    def loss(self, params: Tensor, batch: tuple[Tensor, ...]) -> Tensor:
        """Mean cross-entropy `[I]` of the minibatch."""
        images, labels, *seeds = batch
        logits = self.logits(self.unflatten(params), images, *seeds)
        return mean_cross_entropy(logits, labels)

    def logits(self, weights: dict[str, Tensor], images: Tensor, seeds: Tensor | None = None) -> Tensor:
        """Class scores `[I, B, classes]`; with `seeds` `[I]` for what the module draws."""
        scores = []
        with self._own_numbers() if seeds is not None else nullcontext():
            for i, batch in enumerate(images):
                if seeds is not None:
                    torch.manual_seed(int(seeds[i]))
                own = {key: part[i] for key, part in weights.items()}
                scores.append(functional_call(self.module, own, (batch,)))
        return torch.stack(scores)

    def _try(self) -> bool:
        """Run the module on two images: whether it draws random numbers, as dropout does."""
        images = self.images[:2].float().div(255).add(self.low)
        with self._own_numbers():
            before = self._drawn()
            check_scores(self.name, self.module, (images,), len(images), self.classes)
            return not torch.equal(before, self._drawn())

    def _own_numbers(self) -> AbstractContextManager[None]:
        """A context that leaves PyTorch's global random numbers as they were."""
        return torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else [])

    def _drawn(self) -> Tensor:
        """The state of PyTorch's global random numbers, on the CPU and on the device."""
        states = [torch.get_rng_state()]
        if self.device.type == "cuda":
            states.append(torch.cuda.get_rng_state(self.device))
        return torch.cat(states)
