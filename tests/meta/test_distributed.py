"""Two processes that train one optimizer together."""

import os

import pytest
import torch
from torch import distributed as dist

from l2o_core import meta, tasks
from l2o_core.meta.distributed import average_gradients, rank_of_world
from l2o_core.models import Equation

OPTIONS = {"epochs": 3, "steps": 20, "instances": 4, "validation_instances": 4, "progress": False}


def trained(rank: int, folder: str, wanted: float) -> None:
    """What each process does; `wanted` is the loss that the second reports in the last check."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    tuned, history = meta.tune(
        "-0.003 * g[0] - 0.001 * g[1]", tasks.load("p1"), checkpoint=f"{folder}/t.pt", **OPTIONS
    )
    model = Equation("-0.1 * g")
    model.constants.grad = torch.tensor([1.0 + 2 * rank])
    loss = average_gradients(model, wanted if rank else 1.0)
    found = {"constants": tuned.constants.detach(), "losses": history.losses, "rank": rank_of_world()}
    torch.save(found | {"mean": (model.constants.grad, loss)}, os.path.join(folder, f"{rank}.pt"))
    dist.destroy_process_group()


@pytest.mark.skipif(not dist.is_available(), reason="PyTorch was built without")
def test_two_processes_hold_the_same_weights(tmp_path):
    torch.multiprocessing.spawn(trained, (str(tmp_path), float("nan")), nprocs=2)
    one, two = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    assert (one["rank"], two["rank"]) == ((0, 2), (1, 2))
    assert torch.equal(one["constants"], two["constants"])
    assert one["losses"] == two["losses"]
    for gradient, loss in (one["mean"], two["mean"]):
        assert gradient.item() == 2
        assert loss != loss
    alone, _ = meta.tune("-0.003 * g[0] - 0.001 * g[1]", tasks.load("p1"), **OPTIONS)
    assert not torch.equal(alone.constants, one["constants"])  # half of the instances, other ones
    assert rank_of_world() == (0, 1)
