"""A large matrix product in bfloat16 by torch, hence cuBLAS. Each byte that is read takes part in
some 2000 operations, so that the tensor cores are the limit."""

import torch
import torch.nn as nn

BOTTLENECK = "compute-bound"


class Model(nn.Module):
    def forward(self, a, b):
        return torch.matmul(a, b)


rows = 8192
depth = 4096
columns = 8192


def get_inputs():
    return [torch.randn(rows, depth).bfloat16(), torch.randn(depth, columns).bfloat16()]


def get_init_inputs():
    return []
