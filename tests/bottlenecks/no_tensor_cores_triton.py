"""A float32 matrix product in Triton with input_precision="ieee", as one writes it to keep all
bits. That makes tl.dot a loop of scalar multiply-adds instead of tensor core instructions."""

import torch
import torch.nn as nn
import triton
import triton.language as tl

BOTTLENECK = "no-tensor-cores"


@triton.jit
def product(a, b, c, n, depth, block_m: tl.constexpr, block_n: tl.constexpr,
            block_k: tl.constexpr):
    row = tl.program_id(0) * block_m + tl.arange(0, block_m)
    column = tl.program_id(1) * block_n + tl.arange(0, block_n)
    inner = tl.arange(0, block_k)
    a += row[:, None] * depth + inner[None, :]
    b += inner[:, None] * n + column[None, :]
    total = tl.zeros((block_m, block_n), dtype=tl.float32)
    for _ in range(0, depth, block_k):
        total += tl.dot(tl.load(a), tl.load(b), input_precision="ieee")
        a += block_k
        b += block_k * n
    tl.store(c + row[:, None] * n + column[None, :], total)


class Model(nn.Module):
    def forward(self, a, b):
        return a @ b


class ModelNew(nn.Module):
    """All sizes have to be multiples of 128."""

    def forward(self, a, b):
        m, depth = a.shape
        n = b.shape[1]
        c = torch.empty(m, n, device=a.device, dtype=a.dtype)
        product[(m // 128, n // 128)](a, b, c, n, depth, block_m=128, block_n=128, block_k=16,
                                      num_warps=8, num_stages=3)
        return c


size = 2048


def get_inputs():
    return [torch.randn(size, size), torch.randn(size, size)]


def get_init_inputs():
    return []
