"""Compiles the model and lets Inductor try several kernels for each matrix product.

Declined for a model without matrix products or convolutions, and where there is no C++ compiler.
"""

import torch
from recipes import compiler_missing, multiplies

PRECISION = "fp32"
SLOT = "run"
FIRST_ON = ["cpu"]  # on a GPU it takes minutes: after all that is quicker


def applies(model, inputs, mode):
    if not multiplies(model, inputs):
        return "no matrix product to tune"
    return compiler_missing()


def rewrite(model):
    # Without graph capture, so that every call returns memory of its own on any device.
    return torch.compile(model, mode="max-autotune-no-cudagraphs")
