"""Asymmetric convolution block: a 3x3, a 3x1 and a 1x3 convolution of the same input, each with
its own batch norm, are added and rectified, twice in a row. The training-time form of networks
that are strengthened with extra branches, as in image classifiers and detectors."""

import torch
import torch.nn as nn


class Branch(nn.Module):
    """Convolution and batch norm; the norm's statistics are as after training."""

    def __init__(self, channels, height, width):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, (height, width),
                              padding=(height // 2, width // 2), bias=False)
        self.norm = nn.BatchNorm2d(channels)
        nn.init.uniform_(self.norm.weight, 0.5, 1.5)
        nn.init.normal_(self.norm.bias, std=0.2)
        self.norm.running_mean.normal_(std=0.2)
        self.norm.running_var.uniform_(0.2, 0.6)

    def forward(self, x):
        return self.norm(self.conv(x))


class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.square = Branch(channels, 3, 3)
        self.tall = Branch(channels, 3, 1)
        self.wide = Branch(channels, 1, 3)

    def forward(self, x):
        return torch.relu(self.square(x) + self.tall(x) + self.wide(x))


class Model(nn.Module):
    def __init__(self, channels, blocks):
        super().__init__()
        self.blocks = nn.Sequential(*(Block(channels) for _ in range(blocks)))

    def forward(self, x):
        return self.blocks(x)


batch = 2
channels = 32
size = 28
blocks = 2


def get_inputs():
    return [torch.randn(batch, channels, size, size)]


def get_init_inputs():
    return [channels, blocks]
