"""Dynamic time warping of many series to one pattern, a thread a series, whose row of the table of
costs is an array that is indexed at run time. It lies in local memory, not in registers: a load and
a store there for each cell, more than the L1 cache holds, are nearly all of the traffic."""

import torch
import torch.nn as nn
from torch.utils.cpp_extension import load_inline

BOTTLENECK = "register-spill"

SOURCE = """
#include <torch/extension.h>
#include <c10/cuda/CUDAStream.h>

constexpr int longest = 64;

__global__ void warp_kernel(const float* series, const float* pattern, float* result, int count,
                            int steps, int length) {
  __shared__ float wanted[longest];
  for (int i = threadIdx.x; i < length; i += blockDim.x)
    wanted[i] = pattern[i];
  __syncthreads();
  const int number = blockIdx.x * blockDim.x + threadIdx.x;
  if (number >= count)
    return;
  float cost[longest];
  for (int i = 0; i < length; ++i)
    cost[i] = INFINITY;
  for (int step = 0; step < steps; ++step) {
    const float value = series[(size_t) step * count + number];
    float left = INFINITY, diagonal = step == 0 ? 0 : INFINITY;
    for (int i = 0; i < length; ++i) {
      const float above = cost[i];
      left = fabsf(value - wanted[i]) + fminf(fminf(above, left), diagonal);
      cost[i] = left;
      diagonal = above;
    }
  }
  result[number] = cost[length - 1];
}

torch::Tensor warp(torch::Tensor series, torch::Tensor pattern) {
  const int steps = series.size(0), count = series.size(1), length = pattern.size(0);
  TORCH_CHECK(length <= longest, "the pattern may have at most ", longest, " values");
  auto result = torch::empty({count}, series.options());
  warp_kernel<<<(count + 255) / 256, 256, 0, at::cuda::getCurrentCUDAStream()>>>(
    series.data_ptr<float>(), pattern.data_ptr<float>(), result.data_ptr<float>(), count, steps,
    length);
  return result;
}
"""

extension = load_inline(
    name="profiler_warping",
    cpp_sources="torch::Tensor warp(torch::Tensor series, torch::Tensor pattern);",
    cuda_sources=SOURCE, functions=["warp"])


class Model(nn.Module):
    """Series are the columns of the first input."""

    def forward(self, series, pattern):
        return extension.warp(series, pattern)


steps = 64
count = 2 * 132 * 6 * 256
length = 64


def get_inputs():
    return [torch.randn(steps, count), torch.randn(length)]


def get_init_inputs():
    return []
