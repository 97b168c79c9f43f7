"""Compiles the model with torch.compile in its default mode.

Declined where Inductor finds no C++ compiler.
"""

import torch
from recipes import compiler_missing

PRECISION = "fp32"
SLOT = "run"
AFTER = [["fold"], ["channels_last"]]
FIRST_ON = ["cpu"]  # on a GPU with `graph` around it


def applies(model, inputs, mode):
    return compiler_missing()


def rewrite(model):
    return torch.compile(model)
