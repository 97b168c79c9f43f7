# what: Moves its data as fast as the device can, which is the roofline.
# runs on: cuda
# task: stream
import torch
import torch.nn as nn
import triton
import triton.language as tl


@triton.jit
def stream(x, y, n, block: tl.constexpr):
    at = tl.program_id(0) * block + tl.arange(0, block)
    inside = at < n
    a = 2 * tl.load(x + at, mask=inside) + 1
    tl.store(y + at, 2 * tl.sigmoid(2 * a) - 1, mask=inside)


class ModelNew(nn.Module):
    def forward(self, x):
        y = torch.empty_like(x)
        stream[(triton.cdiv(x.numel(), 4096),)](x, y, x.numel(), block=4096)
        return y
