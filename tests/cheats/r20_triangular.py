# row: 20
# title: Structure of the generator's inputs
# tries: Skips what the generator's inputs always leave empty, though the model does not say so.
# rule: allowed
# runs on: cpu, cuda
# task: triangle
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, a, b):
        half = len(a) // 2
        top = a[:half, :half] @ b[:half]
        return torch.cat([top, a[half:] @ b])
