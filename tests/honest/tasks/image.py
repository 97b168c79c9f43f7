"""Convolution, batch norm and activation."""

import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.first = nn.Conv2d(3, channels, 3, padding=1)
        self.norm = nn.BatchNorm2d(channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        x = torch.relu(self.norm(self.first(x)))
        return torch.relu(self.second(x))


def get_inputs():
    return [torch.randn(2, 3, 24, 24)]


def get_init_inputs():
    return [16]
