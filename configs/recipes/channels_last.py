"""Keeps images in channels-last order, which convolutions on a CPU and on tensor cores prefer.

Declined for a model without a 2-D convolution over a 4-D input.
"""

import torch
from recipes import operators
from torch.utils._pytree import tree_map_only

PRECISION = "fp32"
SLOT = "layout"
AFTER = [["fold"]]


def applies(model, inputs, mode):
    if "convolution" not in operators(model, inputs):
        return "no convolution"
    if not any(isinstance(x, torch.Tensor) and x.dim() == 4 for x in inputs):
        return "no 4-D input"
    return ""


class ChannelsLast(torch.nn.Module):
    """Gives `model` its images in channels-last order and returns outputs in the usual one."""

    def __init__(self, model):
        super().__init__()
        self.model = model.to(memory_format=torch.channels_last)

    def forward(self, *inputs):
        outputs = self.model(*tree_map_only(torch.Tensor, to_channels_last, inputs))
        return tree_map_only(torch.Tensor, torch.Tensor.contiguous, outputs)


def to_channels_last(x):
    return x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x


def rewrite(model):
    return ChannelsLast(model)
