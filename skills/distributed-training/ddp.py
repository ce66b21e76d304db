"""PyTorch on several processes with DistributedDataParallel; start it with torchrun.

Every process holds the whole model and a share of the rows; gradients are averaged. Replace the
made-up data and the model.
"""

import logging

import torch
import torch.distributed as dist
from torch.nn.functional import mse_loss
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

N_EPOCHS = 3
BATCH_PER_PROCESS = 64

log = logging.getLogger(__name__)


def made_up_data() -> TensorDataset:
    """Return 4,000 rows whose target is a linear function of 20 columns; equal everywhere."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(4_000, 20, generator=generator)
    return TensorDataset(rows, rows @ torch.randn(20, 1, generator=generator))


def train(device: torch.device) -> None:
    """Train on this process's share and save the model once."""
    data = made_up_data()
    sampler = DistributedSampler(data, shuffle=True, seed=0)
    loader = DataLoader(data, batch_size=BATCH_PER_PROCESS, sampler=sampler)
    model = DistributedDataParallel(torch.nn.Linear(20, 1).to(device))
    optimiser = torch.optim.SGD(model.parameters(), lr=0.05)
    for epoch in range(N_EPOCHS):
        sampler.set_epoch(epoch)  # without it every epoch has the same order
        for rows, target in loader:
            optimiser.zero_grad()
            loss = mse_loss(model(rows.to(device)), target.to(device))
            loss.backward()
            optimiser.step()
        mean = loss.detach()
        dist.all_reduce(mean)
        log.info("epoch %d: loss %.4f", epoch, mean.item() / dist.get_world_size())
    if dist.get_rank() == 0:
        torch.save(model.module.state_dict(), "model.pt")


def main() -> None:
    """Join the other processes, train, leave."""
    has_gpu = torch.cuda.is_available()
    dist.init_process_group("nccl" if has_gpu else "gloo")
    logging.basicConfig(level=logging.INFO if dist.get_rank() == 0 else logging.WARNING)
    if has_gpu:
        torch.cuda.set_device(dist.get_node_local_rank())
    train(torch.device("cuda" if has_gpu else "cpu"))
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
