# what: Scripts the loop.
# runs on: cpu, cuda
# task: scan
import torch
import torch.nn as nn


@torch.jit.script
def scan(x: torch.Tensor) -> torch.Tensor:
    state = torch.zeros_like(x[:, 0])
    steps = torch.empty_like(x)
    for i in range(x.shape[1]):
        state = 0.9 * state + x[:, i]
        steps[:, i] = state
    return steps


class ModelNew(nn.Module):
    def forward(self, x):
        return scan(x)
