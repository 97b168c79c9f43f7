"""Evaluates a Chebyshev series of 4096 terms at each element by Clenshaw's rule, a block a row. An
SM has room for one block of 1024 threads, and 136 rows are 4 more than there are SMs: these few
take as long again as all others together, with the rest of the GPU idle."""

import torch
import torch.nn as nn
from torch.utils.cpp_extension import load_inline

BOTTLENECK = "tail-effect"

SOURCE = """
#include <torch/extension.h>
#include <c10/cuda/CUDAStream.h>

constexpr int threads = 1024;
constexpr int items = 8;

__global__ void __launch_bounds__(threads)
chebyshev_kernel(const float* x, const float4* coefficients, float* y, int quads) {
  extern __shared__ float4 terms[];
  for (int i = threadIdx.x; i < quads; i += threads)
    terms[i] = coefficients[i];
  __syncthreads();
  const int first = blockIdx.x * threads * items + threadIdx.x;
  float twice[items], b1[items], b2[items];
#pragma unroll
  for (int i = 0; i < items; ++i) {
    twice[i] = 2 * x[first + i * threads];
    b1[i] = b2[i] = 0;
  }
#pragma unroll 2
  for (int k = 0; k < quads; ++k) {
    const float4 c = terms[k];
#pragma unroll
    for (int i = 0; i < items; ++i) {
      b2[i] = fmaf(twice[i], b1[i], c.x - b2[i]);
      b1[i] = fmaf(twice[i], b2[i], c.y - b1[i]);
      b2[i] = fmaf(twice[i], b1[i], c.z - b2[i]);
      b1[i] = fmaf(twice[i], b2[i], c.w - b1[i]);
    }
  }
#pragma unroll
  for (int i = 0; i < items; ++i)
    y[first + i * threads] = b1[i] - 0.5f * twice[i] * b2[i];
}

torch::Tensor chebyshev(torch::Tensor x, torch::Tensor coefficients) {
  TORCH_CHECK(x.size(1) == threads * items, "a row has to have ", threads * items, " elements");
  TORCH_CHECK(coefficients.numel() % 4 == 0, "the number of terms has to be a multiple of 4");
  auto y = torch::empty_like(x);
  int quads = coefficients.numel() / 4;
  chebyshev_kernel<<<x.size(0), threads, quads * sizeof(float4),
                     at::cuda::getCurrentCUDAStream()>>>(
    x.data_ptr<float>(), (const float4*) coefficients.data_ptr<float>(), y.data_ptr<float>(),
    quads);
  return y;
}
"""

extension = load_inline(
    name="profiler_chebyshev",
    cpp_sources="torch::Tensor chebyshev(torch::Tensor x, torch::Tensor coefficients);",
    cuda_sources=SOURCE, functions=["chebyshev"])


class Model(nn.Module):
    """The coefficient of the highest polynomial comes first."""

    def __init__(self, terms):
        super().__init__()
        self.coefficients = nn.Parameter(torch.randn(terms))

    def forward(self, x):
        return extension.chebyshev(x, self.coefficients)


rows = 136
width = 8192
terms = 4096


def get_inputs():
    return [2 * torch.rand(rows, width) - 1]


def get_init_inputs():
    return [terms]
