# what: Has Triton choose among configurations at its first call.
# class: own
# runs on: cuda
# task: elementwise
import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.autotune([triton.Config({"block": size}) for size in (256, 512, 1024)], key=["n"])
@triton.jit
def gate(x, y, z, n, block: tl.constexpr):
    at = tl.program_id(0) * block + tl.arange(0, block)
    inside = at < n
    a = tl.load(x + at, mask=inside)
    b = tl.load(y + at, mask=inside)
    s = tl.sigmoid(a)
    t = 2 * tl.sigmoid(2 * b) - 1
    tl.store(z + at, (s * b + t) * (a * s), mask=inside)


class ModelNew(nn.Module):
    def forward(self, x, y):
        z = torch.empty_like(x)
        gate[lambda chosen: (triton.cdiv(x.numel(), chosen["block"]),)](x, y, z, x.numel())
        return z
