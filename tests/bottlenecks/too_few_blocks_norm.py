"""Normalises each of 12 large samples as a whole, a block a sample. The blocks read and write as
fast as an SM can, but 120 of 132 SMs have nothing to do."""

import torch
import torch.nn as nn
from torch.utils.cpp_extension import load_inline

BOTTLENECK = "too-few-blocks"

SOURCE = """
#include <torch/extension.h>
#include <c10/cuda/CUDAStream.h>

constexpr int threads = 1024;

// The sum over all threads of a block, for each of them.
__device__ float total(float value, float* partial) {
  for (int offset = 16; offset > 0; offset /= 2)
    value += __shfl_xor_sync(0xffffffffu, value, offset);
  if (threadIdx.x % 32 == 0)
    partial[threadIdx.x / 32] = value;
  __syncthreads();
  value = partial[threadIdx.x % 32];
  for (int offset = 16; offset > 0; offset /= 2)
    value += __shfl_xor_sync(0xffffffffu, value, offset);
  return value;
}

__global__ void __launch_bounds__(threads)
normalise_kernel(const float4* __restrict__ x, float4* __restrict__ y, int vectors, float epsilon) {
  __shared__ float sums[32], squares[32];
  x += (size_t) blockIdx.x * vectors;
  y += (size_t) blockIdx.x * vectors;
  float sum = 0, square = 0;
#pragma unroll 4
  for (int i = threadIdx.x; i < vectors; i += threads) {
    const float4 v = x[i];
    sum += (v.x + v.y) + (v.z + v.w);
    square += (v.x * v.x + v.y * v.y) + (v.z * v.z + v.w * v.w);
  }
  const float mean = total(sum, sums) / (4 * vectors);
  const float variance = total(square, squares) / (4 * vectors) - mean * mean;
  const float factor = rsqrtf(variance + epsilon);
#pragma unroll 4
  for (int i = threadIdx.x; i < vectors; i += threads) {
    const float4 v = x[i];
    y[i] = make_float4(factor * (v.x - mean), factor * (v.y - mean), factor * (v.z - mean),
                       factor * (v.w - mean));
  }
}

torch::Tensor normalise(torch::Tensor x, double epsilon) {
  const int samples = x.size(0), width = x.size(1);
  TORCH_CHECK(width % 4 == 0, "the size of a sample has to be a multiple of 4");
  auto y = torch::empty_like(x);
  normalise_kernel<<<samples, threads, 0, at::cuda::getCurrentCUDAStream()>>>(
    (const float4*) x.data_ptr<float>(), (float4*) y.data_ptr<float>(), width / 4, epsilon);
  return y;
}
"""

extension = load_inline(
    name="profiler_normalise",
    cpp_sources="torch::Tensor normalise(torch::Tensor x, double epsilon);",
    cuda_sources=SOURCE, functions=["normalise"])


class Model(nn.Module):
    def __init__(self, epsilon):
        super().__init__()
        self.epsilon = epsilon

    def forward(self, x):
        return extension.normalise(x, self.epsilon)


samples = 12
width = 2 << 20
epsilon = 1e-5


def get_inputs():
    return [torch.randn(samples, width)]


def get_init_inputs():
    return [epsilon]
