"""Adds a scaled branch to a residual, four floats a thread and instruction. 403 MB go through the
GPU's memory once, without reuse and perfectly coalesced, and next to nothing is computed."""

import torch
import torch.nn as nn
from torch.utils.cpp_extension import load_inline

BOTTLENECK = "memory-bound"

SOURCE = """
#include <torch/extension.h>
#include <c10/cuda/CUDAStream.h>

__global__ void residual_kernel(const float4* x, const float4* branch, float4* y, float scale,
                                int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n)
    return;
  float4 a = x[i], b = branch[i];
  y[i] = make_float4(a.x + scale * b.x, a.y + scale * b.y, a.z + scale * b.z, a.w + scale * b.w);
}

torch::Tensor residual(torch::Tensor x, torch::Tensor branch, double scale) {
  TORCH_CHECK(x.numel() % 4 == 0, "the number of elements has to be a multiple of 4");
  auto y = torch::empty_like(x);
  int n = x.numel() / 4;
  residual_kernel<<<(n + 255) / 256, 256, 0, at::cuda::getCurrentCUDAStream()>>>(
    (const float4*) x.data_ptr<float>(), (const float4*) branch.data_ptr<float>(),
    (float4*) y.data_ptr<float>(), scale, n);
  return y;
}
"""

extension = load_inline(
    name="profiler_residual",
    cpp_sources="torch::Tensor residual(torch::Tensor x, torch::Tensor branch, double scale);",
    cuda_sources=SOURCE, functions=["residual"])


class Model(nn.Module):
    def __init__(self, scale):
        super().__init__()
        self.scale = scale

    def forward(self, x, branch):
        return extension.residual(x, branch, self.scale)


rows = 8192
width = 4096
scale = 0.25


def get_inputs():
    return [torch.randn(rows, width), torch.randn(rows, width)]


def get_init_inputs():
    return [scale]
