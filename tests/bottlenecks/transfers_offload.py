"""Keeps an activation in the host's memory for a while, as offloading does to save the GPU's. The
two copies of 8 MB through pageable memory take milliseconds, the kernels around them
microseconds."""

import torch
import torch.nn as nn

BOTTLENECK = "transfers"


class Model(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.gain = nn.Parameter(torch.rand(width) + 0.5)

    def forward(self, x):
        scaled = x * self.gain
        kept = scaled.cpu()
        hidden = torch.tanh(scaled)
        return hidden + kept.to(x.device)


rows = 2048
width = 1024


def get_inputs():
    return [torch.randn(rows, width)]


def get_init_inputs():
    return [width]
