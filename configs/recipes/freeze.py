"""Compiles the model with its weights as constants, which Inductor then folds and packs.

Declined in training, where weights change; for a model without parameters; and where there is no
C++ compiler.
"""

import torch
from recipes import compiler_missing

PRECISION = "fp32"
SLOT = "run"
AFTER = [["bfloat16"], ["autocast"], ["channels_last"]]
FIRST_ON = ["cpu"]  # on a GPU with `graph` around it


def applies(model, inputs, mode):
    if mode == "train":
        return "weights change in training"
    if not any(True for _ in model.parameters()):
        return "no parameters to freeze"
    return compiler_missing()


def rewrite(model):
    return torch.compile(model, options={"freezing": True})
