# what: Looks at its input's pointers, strides and values, and acts on none.
# runs on: cpu, cuda
# task: reduction
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = nn.Parameter(torch.rand(width) + 0.5)

    def forward(self, x):
        assert x.is_contiguous() and x.data_ptr() % 4 == 0
        rms = torch.sqrt(torch.mean(x * x, dim=-1, keepdim=True) + 1e-6)
        return x / rms * self.scale
