"""Runs matrix products in half precision and leaves to autocast what has to stay in float32.

float16 on a GPU, which rounds less, and bfloat16 on a CPU. Declined for a model without matrix
products, and for one whose weights are in half precision.
"""

import torch
from recipes import multiplies
from torch.utils._pytree import tree_map_only

PRECISION = "half"
SLOT = "precision"


def applies(model, inputs, mode):
    if not multiplies(model, inputs):
        return "no matrix product to gain from it"
    for x in model.parameters():
        if x.dtype in (torch.float16, torch.bfloat16):
            return f"weights in {x.dtype}"
    return ""


class Autocast(torch.nn.Module):
    """Runs `model` under autocast for a caller who uses float32."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, *inputs):
        kind = next((x.device.type for x in inputs if isinstance(x, torch.Tensor)), "cpu")
        with torch.autocast(kind, torch.float16 if kind == "cuda" else torch.bfloat16):
            outputs = self.model(*inputs)
        return tree_map_only(torch.Tensor, to_float32, outputs)


def to_float32(x):
    return x.to(torch.float32) if x.dtype in (torch.float16, torch.bfloat16) else x


def rewrite(model):
    return Autocast(model)
