"""Keeps weights and intermediate results in float16, which a GPU multiplies fastest.

Declined on a CPU, which computes float16 in float32; in training; without matrix products; when
weights are not float32; when the model makes float32 tensors of its own that do not mix with
float16 (try `autocast`); and when outputs leave float16's range, or are far from float32's.
"""

import torch
from recipes import half_precision_fails, multiplies, on_gpu
from torch.utils._pytree import tree_map_only

PRECISION = "half"
SLOT = "precision"


def applies(model, inputs, mode):
    if not on_gpu(inputs):
        return "no GPU: a CPU computes float16 in float32"
    if mode == "train":
        return "small weight updates would be lost in training"
    if not multiplies(model, inputs):
        return "no matrix product to gain from it"
    for x in [*model.parameters(), *model.buffers()]:
        if x.is_floating_point() and x.dtype != torch.float32 or x.is_complex():
            return f"weights in {x.dtype}"
    expected = model(*inputs)
    try:
        outputs = rewrite(model)(*inputs)
    except Exception as problem:
        return f"does not run in float16: {problem}"
    return half_precision_fails(outputs, expected)


class Float16(torch.nn.Module):
    """Runs `model` in float16 for a caller who uses float32."""

    def __init__(self, model):
        super().__init__()
        self.model = model.to(torch.float16)

    def forward(self, *inputs):
        outputs = self.model(*tree_map_only(torch.Tensor, to_float16, inputs))
        return tree_map_only(torch.Tensor, to_float32, outputs)


def to_float16(x):
    return x.to(torch.float16) if x.dtype == torch.float32 else x


def to_float32(x):
    return x.to(torch.float32) if x.dtype in (torch.float16, torch.bfloat16) else x


def rewrite(model):
    return Float16(model)
