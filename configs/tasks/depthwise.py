"""Depthwise convolution by unfolding: all 5x5 patches are copied out, weighed per channel and
summed, then a bias and a hard-swish. Occurs in mobile vision networks and in ports of models whose
framework had no grouped convolution."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class Model(nn.Module):
    def __init__(self, channels, kernel):
        super().__init__()
        self.kernel = kernel
        self.weight = nn.Parameter(0.3 * torch.randn(channels, kernel * kernel))
        self.bias = nn.Parameter(0.3 * torch.randn(channels))

    def forward(self, x):
        batch, channels, height, width = x.shape
        patches = F.unfold(x, self.kernel, padding=self.kernel // 2)
        patches = patches.view(batch, channels, self.kernel * self.kernel, height * width)
        y = (patches * self.weight[None, :, :, None]).sum(dim=2).view(x.shape)
        y = y + self.bias[None, :, None, None]
        return y * torch.clamp(y + 3.0, 0.0, 6.0) / 6.0


batch = 2
channels = 24
size = 32
kernel = 5


def get_inputs():
    return [torch.randn(batch, channels, size, size)]


def get_init_inputs():
    return [channels, kernel]
