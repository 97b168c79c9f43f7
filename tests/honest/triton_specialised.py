# what: Gives a Triton kernel a number that changes; it is compiled anew for some of them.
# class: own
# runs on: cuda
# task: elementwise
import random

import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def gate(x, y, z, n, seed, block: tl.constexpr):
    at = tl.program_id(0) * block + tl.arange(0, block)
    inside = at < n
    a = tl.load(x + at, mask=inside)
    b = tl.load(y + at, mask=inside)
    s = tl.sigmoid(a)
    t = 2 * tl.sigmoid(2 * b) - 1
    tl.store(z + at, (s * b + t) * (a * s), mask=inside & (seed >= 0))


class ModelNew(nn.Module):
    def forward(self, x, y):
        z = torch.empty_like(x)
        seed = random.randrange(1 << 32)
        gate[(triton.cdiv(x.numel(), 1024),)](x, y, z, x.numel(), seed, block=1024)
        return z
