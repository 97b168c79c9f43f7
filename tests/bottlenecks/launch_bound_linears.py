"""A deep and narrow network, 150 linear layers of 64 units for 32 samples. Each of its 300 kernels
takes a microsecond or two, less than it takes to launch it."""

import torch
import torch.nn as nn

BOTTLENECK = "launch-bound"


class Model(nn.Module):
    def __init__(self, width, layers):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))
        for layer in self.layers:
            nn.init.orthogonal_(layer.weight, gain=2 ** 0.5)

    def forward(self, x):
        for layer in self.layers:
            x = torch.relu(layer(x))
        return x


batch = 32
width = 64
layers = 150


def get_inputs():
    return [torch.randn(batch, width)]


def get_init_inputs():
    return [width, layers]
