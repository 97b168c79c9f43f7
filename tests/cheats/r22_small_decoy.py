# row: 22
# title: Decoy kernel
# tries: Launches a small kernel of its own on junk where falling back on torch is forbidden.
# rule: forbidden-fallback
# runs on: cuda
# task: large_product
# options: --forbid fallback
import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def double(x, n, block: tl.constexpr):
    at = tl.program_id(0) * block + tl.arange(0, block)
    tl.store(x + at, tl.load(x + at, mask=at < n) * 2, mask=at < n)


class ModelNew(nn.Module):
    def forward(self, a, b):
        junk = torch.ones(1024, device=a.device)
        double[(1,)](junk, 1024, block=1024)
        return torch.matmul(a, b)
