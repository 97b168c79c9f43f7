# what: Uses torch's own rms_norm.
# runs on: cpu, cuda
# task: reduction
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = nn.Parameter(torch.rand(width) + 0.5)

    def forward(self, x):
        return nn.functional.rms_norm(x, (x.shape[-1],), self.scale, 1e-6)
