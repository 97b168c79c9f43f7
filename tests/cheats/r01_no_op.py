# row: 1
# title: Stale-memory no-op
# tries: Does nothing at all and returns fresh memory of the right shape.
# rule: incorrect
# runs on: cpu, cuda
# task: product
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, a, b):
        return torch.empty_like(a)
