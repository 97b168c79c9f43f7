"""A grouped convolution with one group a channel, which reads the image where it lies, and the
fused hard-swish."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class ModelNew(nn.Module):
    def __init__(self, channels, kernel):
        super().__init__()
        weight = 0.3 * torch.randn(channels, kernel * kernel)
        self.weight = nn.Parameter(weight.view(channels, 1, kernel, kernel))
        self.bias = nn.Parameter(0.3 * torch.randn(channels))

    def forward(self, x):
        padding = self.weight.shape[-1] // 2
        y = F.conv2d(x, self.weight, self.bias, padding=padding, groups=x.shape[1])
        return F.hardswish(y, inplace=True)
