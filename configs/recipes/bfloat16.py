"""Keeps weights and intermediate results in bfloat16.

Declined in training; without matrix products; when weights are not float32; and when the model
makes float32 tensors of its own that do not mix with bfloat16 (try `autocast`).
"""

import torch
from recipes import multiplies
from torch.utils._pytree import tree_map_only

PRECISION = "half"


def applies(model, inputs, mode):
    if mode == "train":
        return "small weight updates would be lost in training"
    if not multiplies(model, inputs):
        return "no matrix product to gain from it"
    for x in [*model.parameters(), *model.buffers()]:
        if x.dtype in (torch.float64, torch.complex64, torch.complex128, torch.bfloat16):
            return f"weights in {x.dtype}"
    try:
        rewrite(model)(*inputs)
    except Exception as problem:
        return f"does not run in bfloat16: {problem}"
    return ""


class Bfloat16(torch.nn.Module):
    """Runs `model` in bfloat16 for a caller who uses float32."""

    def __init__(self, model):
        super().__init__()
        self.model = model.to(torch.bfloat16)

    def forward(self, *inputs):
        outputs = self.model(*tree_map_only(torch.Tensor, to_bfloat16, inputs))
        return tree_map_only(torch.Tensor, to_float32, outputs)


def to_bfloat16(x):
    return x.to(torch.bfloat16) if x.dtype == torch.float32 else x


def to_float32(x):
    return x.to(torch.float32) if x.dtype == torch.bfloat16 else x


def rewrite(model):
    return Bfloat16(model)
