"""Has cuDNN time its algorithms for each convolution at the first call, and take the fastest.

A setting of the whole process, as torch has it. Declined on a CPU and without a convolution.
"""

import torch
from recipes import on_gpu, operators

PRECISION = "fp32"


def applies(model, inputs, mode):
    if not on_gpu(inputs):
        return "no GPU"
    return "" if "convolution" in operators(model, inputs) else "no convolution"


def rewrite(model):
    torch.backends.cudnn.benchmark = True
    return model
