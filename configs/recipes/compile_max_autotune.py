"""Compiles the model and lets Inductor try several kernels for each matrix product.

Declined for a model without matrix products or convolutions, or with more than eight that differ:
each takes up to half a minute of a core. Also where there is no C++ compiler.
"""

import torch
from recipes import compiler_missing, products

PRECISION = "fp32"
SLOT = "run"
FIRST_ON = ["cpu"]  # on a GPU it takes minutes: after all that is quicker
MOST_PRODUCTS = 8


def applies(model, inputs, mode):
    count = products(model, inputs)
    if count == 0:
        return "no matrix product to tune"
    if count > MOST_PRODUCTS:
        return f"{count} different matrix products and convolutions would take minutes to tune"
    return compiler_missing()


def rewrite(model):
    # Without graph capture, so that every call returns memory of its own on any device.
    return torch.compile(model, mode="max-autotune-no-cudagraphs")
