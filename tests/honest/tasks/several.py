"""Several outputs: a tuple of a tensor, a list and a dict."""

import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, x):
        y = self.linear(x)
        return y, [y.sum(0), y.argmax(1)], {"mean": y.mean(), "positive": y > 0}


def get_inputs():
    return [torch.randn(64, 64)]


def get_init_inputs():
    return [64]
