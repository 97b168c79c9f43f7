# what: Multiplies by the reciprocal root.
# runs on: cpu, cuda
# task: reduction
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = nn.Parameter(torch.rand(width) + 0.5)

    def forward(self, x):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True).add_(1e-6)) * self.scale
