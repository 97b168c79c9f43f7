"""In eval mode each block is one 3x3 convolution: a batch norm is a factor and an offset per
channel, and the 3x1 and 1x3 kernels are 3x3 kernels with zeros around them. All is folded, in
double precision, when the model is made."""

import torch
import torch.nn as nn
import torch.nn.functional as F


def draw_branch(channels, height, width):
    """Draws a branch as the reference does; returns it as a 3x3 kernel and a bias."""
    conv = nn.Conv2d(channels, channels, (height, width), bias=False)
    norm = nn.BatchNorm2d(channels)
    nn.init.uniform_(norm.weight, 0.5, 1.5)
    nn.init.normal_(norm.bias, std=0.2)
    mean = norm.running_mean.normal_(std=0.2).double()
    scale = norm.weight.double() / (norm.running_var.uniform_(0.2, 0.6).double() + norm.eps).sqrt()
    kernel = conv.weight.double() * scale[:, None, None, None]
    rows, columns = 1 - height // 2, 1 - width // 2
    return F.pad(kernel, (columns, columns, rows, rows)), norm.bias.double() - scale * mean


def draw_block(channels):
    branches = [draw_branch(channels, *size) for size in ((3, 3), (3, 1), (1, 3))]
    return [sum(parts).float() for parts in zip(*branches)]


class ModelNew(nn.Module):
    def __init__(self, channels, blocks):
        super().__init__()
        with torch.no_grad():
            folded = [draw_block(channels) for _ in range(blocks)]
        self.kernels = nn.ParameterList(kernel for kernel, _ in folded)
        self.biases = nn.ParameterList(bias for _, bias in folded)

    def forward(self, x):
        for kernel, bias in zip(self.kernels, self.biases):
            x = F.conv2d(x, kernel, bias, padding=1).relu_()
        return x
