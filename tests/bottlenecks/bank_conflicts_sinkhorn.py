"""Sinkhorn normalisation of many 32x32 matrices, a warp a matrix in shared memory. Where a lane has
a row, all lanes meet in the same bank, since rows are 32 words long and not padded: 32-way
conflicts in every other pass are nearly all of the time."""

import torch
import torch.nn as nn
from torch.utils.cpp_extension import load_inline

BOTTLENECK = "bank-conflicts"

SOURCE = """
#include <torch/extension.h>
#include <c10/cuda/CUDAStream.h>

constexpr int warps = 4;

__global__ void sinkhorn_kernel(const float* logits, float* result, int count, int n,
                                int iterations) {
  extern __shared__ float matrices[];
  const int lane = threadIdx.x % 32, number = blockIdx.x * warps + threadIdx.x / 32;
  if (number >= count)
    return;
  float* matrix = matrices + threadIdx.x / 32 * n * n;
  logits += (size_t) number * n * n;
  result += (size_t) number * n * n;
  for (int i = lane; i < n * n; i += 32)
    matrix[i] = expf(logits[i]);
  __syncwarp();
  for (int iteration = 0; iteration < iterations; ++iteration) {
    if (lane < n) {
      float sum = 0;
      for (int i = 0; i < n; ++i)
        sum += matrix[lane * n + i];
      const float factor = 1 / sum;
      for (int i = 0; i < n; ++i)
        matrix[lane * n + i] *= factor;
    }
    __syncwarp();
    if (lane < n) {
      float sum = 0;
      for (int i = 0; i < n; ++i)
        sum += matrix[i * n + lane];
      const float factor = 1 / sum;
      for (int i = 0; i < n; ++i)
        matrix[i * n + lane] *= factor;
    }
    __syncwarp();
  }
  for (int i = lane; i < n * n; i += 32)
    result[i] = matrix[i];
}

torch::Tensor sinkhorn(torch::Tensor logits, int64_t iterations) {
  const int count = logits.size(0), n = logits.size(1);
  TORCH_CHECK(n <= 32 && logits.size(2) == n, "matrices have to be square, at most 32 by 32");
  auto result = torch::empty_like(logits);
  sinkhorn_kernel<<<(count + warps - 1) / warps, 32 * warps, warps * n * n * sizeof(float),
                    at::cuda::getCurrentCUDAStream()>>>(
    logits.data_ptr<float>(), result.data_ptr<float>(), count, n, iterations);
  return result;
}
"""

extension = load_inline(
    name="profiler_sinkhorn",
    cpp_sources="torch::Tensor sinkhorn(torch::Tensor logits, int64_t iterations);",
    cuda_sources=SOURCE, functions=["sinkhorn"])


class Model(nn.Module):
    def __init__(self, iterations):
        super().__init__()
        self.iterations = iterations

    def forward(self, logits):
        return extension.sinkhorn(logits, self.iterations)


count = 4096
size = 32
iterations = 20


def get_inputs():
    return [torch.randn(count, size, size)]


def get_init_inputs():
    return [iterations]
