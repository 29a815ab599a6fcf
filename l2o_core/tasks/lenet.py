"""LeNet-5 on MNIST, the optimizee of SymL2O 3.4."""

from __future__ import annotations

from torch import Tensor, baddbmm
from torch.nn.functional import conv2d, max_pool2d

from .classifier import Classifier

SHAPES = {
    "conv1": (6, 1, 5, 5),
    "bias1": (6,),
    "conv2": (16, 6, 5, 5),
    "bias2": (16,),
    **{"w3": (256, 120), "b3": (1, 120), "w4": (120, 84), "b4": (1, 84), "w5": (84, 10), "b5": (1, 10)},
}


class LeNet(Classifier):
    """Two 5x5 convolutions of 6 and 16 filters, then layers of 120, 84 and 10; ReLU, max-pooling.

    Args:
        name: Of the problem.
        batch: Images in a minibatch.
        part: Of the training images and of the seeds: "train", "choose" or "report"; None: all images.
        low: The value of a black pixel; a white one has `low + 1`.
        augment: Shift images at random by up to 4 pixels, and mirror half of them.
        init_std: Standard deviation of all initial parameters. With P2's 0.01 the signal would be lost on
            the way through five layers.
        device: Device of images and parameters.
        download: Download the data set if it is not found.

    Raises:
        L2OError: As `Classifier` does.
    """

    def __init__(
        self,
        name: str = "lenet",
        *,
        batch: int = 128,
        part: str | None = None,
        low: float = -0.5,
        augment: bool = False,
        init_std: float = 0.1,
        device: str = "cpu",
        download: bool = False,
    ):
        super().__init__(
            name,
            "mnist",
            SHAPES,
            batch=batch,
            part=part,
            low=low,
            augment=augment,
            init_std=init_std,
            device=device,
            download=download,
        )

    def logits(self, weights: dict[str, Tensor], images: Tensor) -> Tensor:
        """Class scores `[I, B, 10]`; the instances are groups of one convolution."""
        signal = images.transpose(0, 1).flatten(1, 2)  # [B, I * C, H, W]
        for layer in (1, 2):
            kernel, bias = weights[f"conv{layer}"], weights[f"bias{layer}"]
            signal = conv2d(signal, kernel.flatten(0, 1), bias.flatten(), groups=len(kernel))
            signal = max_pool2d(signal.relu(), 2)
        signal = signal.unflatten(1, (len(images), 16)).flatten(2).transpose(0, 1)
        for layer in (3, 4, 5):
            signal = baddbmm(weights[f"b{layer}"], signal, weights[f"w{layer}"])
            signal = signal.relu() if layer < 5 else signal
        return signal
