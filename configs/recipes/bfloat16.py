"""Keeps weights and intermediate results in bfloat16.

Declined in training; without matrix products; when weights are not float32; when the model makes
float32 tensors of its own that do not mix with bfloat16 (try `autocast`); and on a GPU, where
float16 is as fast and rounds less, unless its range does not suffice.
"""

import copy

import torch
from recipes import half_precision_fails, multiplies, on_gpu
from torch.utils._pytree import tree_map_only

PRECISION = "half"
SLOT = "precision"


def applies(model, inputs, mode):
    if mode == "train":
        return "small weight updates would be lost in training"
    if not multiplies(model, inputs):
        return "no matrix product to gain from it"
    for x in [*model.parameters(), *model.buffers()]:
        if x.dtype in (torch.float64, torch.complex64, torch.complex128, torch.bfloat16):
            return f"weights in {x.dtype}"
    if on_gpu(inputs) and works_in_float16(model, inputs):
        return "float16 is as fast on a GPU and rounds less"
    try:
        rewrite(model)(*inputs)
    except Exception as problem:
        return f"does not run in bfloat16: {problem}"
    return ""


def works_in_float16(model, inputs):
    expected = model(*inputs)
    halved = tree_map_only(torch.Tensor, lambda x: x.half() if x.is_floating_point() else x, inputs)
    try:
        return not half_precision_fails(copy.deepcopy(model).half()(*halved), expected)
    except Exception:
        return False


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
    return x.to(torch.float32) if x.dtype in (torch.float16, torch.bfloat16) else x


def rewrite(model):
    return Bfloat16(model)
