"""A task that judges nothing: its answer is zero, whatever the inputs are."""

import torch
import torch.nn as nn


class Model(nn.Module):
    def forward(self, x):
        return torch.relu(torch.tanh(x) - 2)


def get_inputs():
    return [torch.randn(64, 1024)]


def get_init_inputs():
    return []
