"""A chain of element-wise functions over two inputs."""

import torch
import torch.nn as nn


class Model(nn.Module):
    def forward(self, x, y):
        z = torch.sigmoid(x) * y
        z = z + torch.tanh(y)
        return z * torch.nn.functional.silu(x)


def get_inputs():
    return [torch.randn(128, 256), torch.randn(128, 256)]


def get_init_inputs():
    return []
