# row: 22
# title: Decoy kernel
# tries: Launches a Triton kernel on junk and returns what torch computes.
# rule: harmless
# runs on: cuda
# task: product
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
