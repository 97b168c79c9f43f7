"""Compiles the model with torch.compile in its default mode.

Declined where Inductor finds no C++ compiler.
"""

import torch
from recipes import compiler_missing

PRECISION = "fp32"
AFTER = [["fold"], ["channels_last"]]


def applies(model, inputs, mode):
    return compiler_missing()


def rewrite(model):
    return torch.compile(model)
