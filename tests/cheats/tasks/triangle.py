"""A product whose left side is always triangular, which the model does not say."""

import torch
import torch.nn as nn


class Model(nn.Module):
    def forward(self, a, b):
        return a @ b


def get_inputs():
    return [torch.tril(torch.randn(256, 256)), torch.randn(256, 256)]


def get_init_inputs():
    return []
