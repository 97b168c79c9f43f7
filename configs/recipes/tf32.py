"""Multiplies float32 matrices in TF32, on tensor cores: ten bits of fraction instead of 23.

A setting of the whole process, as torch has it. Declined on a CPU and without matrix products;
convolutions use TF32 anyway.
"""

import torch
from recipes import on_gpu, operators

PRECISION = "tf32"
SLOT = "precision"


def applies(model, inputs, mode):
    if not on_gpu(inputs):
        return "no GPU"
    if not operators(model, inputs) & {"addmm", "mm", "bmm", "baddbmm"}:
        return "no matrix product to gain from it"
    return ""


def rewrite(model):
    torch.set_float32_matmul_precision("high")
    return model
