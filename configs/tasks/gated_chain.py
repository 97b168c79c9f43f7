"""Gated activation chain: scale and bias per channel, tanh of one half times the logistic function
of the other, and a learned blend with a residual, spelled out operation by operation. The
element-wise part of WaveNet-like audio models and of highway layers."""

import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.scale = nn.Parameter(torch.rand(2 * features) + 0.5)
        self.bias = nn.Parameter(0.5 * torch.randn(2 * features))
        self.gain = nn.Parameter(torch.rand(features) + 0.5)
        self.keep = nn.Parameter(torch.rand(features))

    def forward(self, x, residual):
        x = x * self.scale
        x = x + self.bias
        filtered, gate = x.chunk(2, dim=-1)
        gate = 1.0 / (1.0 + torch.exp(-gate))
        y = torch.tanh(filtered) * gate
        y = y * self.gain
        return self.keep * residual + (1.0 - self.keep) * y


rows = 256
features = 512


def get_inputs():
    return [torch.randn(rows, 2 * features), torch.randn(rows, features)]


def get_init_inputs():
    return [features]
