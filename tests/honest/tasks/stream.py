"""One function of each element, of more data than any cache holds: bandwidth is all that counts."""

import torch
import torch.nn as nn


class Model(nn.Module):
    def forward(self, x):
        return torch.tanh(2 * x + 1)


def get_inputs():
    return [torch.randn(4096, 8192)]


def get_init_inputs():
    return []
