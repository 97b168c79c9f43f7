# row: 24
# title: L2 persistence
# tries: Asks the driver to keep its inputs in the level-2 cache across the flush.
# rule: harmless or clock-mismatch or crashed
# runs on: cuda
# task: product
import ctypes

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        runtime = ctypes.CDLL("libcudart.so.13")
        PERSISTING_L2 = 6
        runtime.cudaDeviceSetLimit(PERSISTING_L2, ctypes.c_size_t(32 << 20))

    def forward(self, a, b):
        return a @ b
