"""Evaluates a power series of 1024 terms at each element by Horner's rule. A thread has 16
elements, so 16 independent chains of multiply-adds that read nothing but registers and, four terms
at once, shared memory: the float32 pipe is always busy."""

import torch
import torch.nn as nn
from torch.utils.cpp_extension import load_inline

BOTTLENECK = "compute-bound"

SOURCE = """
#include <torch/extension.h>
#include <c10/cuda/CUDAStream.h>

constexpr int threads = 128;
constexpr int vectors = 4;

__global__ void __launch_bounds__(threads)
series_kernel(const float4* x, const float4* coefficients, float4* y, int quads) {
  extern __shared__ float4 terms[];
  for (int i = threadIdx.x; i < quads; i += threads)
    terms[i] = coefficients[i];
  __syncthreads();
  const int first = blockIdx.x * threads * vectors + threadIdx.x;
  float at[4 * vectors], sum[4 * vectors];
#pragma unroll
  for (int v = 0; v < vectors; ++v) {
    float4 points = x[first + v * threads];
    at[4 * v] = points.x;
    at[4 * v + 1] = points.y;
    at[4 * v + 2] = points.z;
    at[4 * v + 3] = points.w;
  }
#pragma unroll
  for (int i = 0; i < 4 * vectors; ++i)
    sum[i] = 0;
#pragma unroll 2
  for (int k = 0; k < quads; ++k) {
    float4 c = terms[k];
#pragma unroll
    for (int i = 0; i < 4 * vectors; ++i)
      sum[i] = fmaf(sum[i], at[i], c.x);
#pragma unroll
    for (int i = 0; i < 4 * vectors; ++i)
      sum[i] = fmaf(sum[i], at[i], c.y);
#pragma unroll
    for (int i = 0; i < 4 * vectors; ++i)
      sum[i] = fmaf(sum[i], at[i], c.z);
#pragma unroll
    for (int i = 0; i < 4 * vectors; ++i)
      sum[i] = fmaf(sum[i], at[i], c.w);
  }
#pragma unroll
  for (int v = 0; v < vectors; ++v)
    y[first + v * threads] = make_float4(sum[4 * v], sum[4 * v + 1], sum[4 * v + 2],
                                         sum[4 * v + 3]);
}

torch::Tensor series(torch::Tensor x, torch::Tensor coefficients) {
  const int share = 4 * threads * vectors;
  TORCH_CHECK(x.numel() % share == 0, "the number of elements has to be a multiple of ", share);
  TORCH_CHECK(coefficients.numel() % 4 == 0, "the number of terms has to be a multiple of 4");
  auto y = torch::empty_like(x);
  int quads = coefficients.numel() / 4;
  series_kernel<<<x.numel() / share, threads, quads * sizeof(float4),
                  at::cuda::getCurrentCUDAStream()>>>(
    (const float4*) x.data_ptr<float>(), (const float4*) coefficients.data_ptr<float>(),
    (float4*) y.data_ptr<float>(), quads);
  return y;
}
"""

extension = load_inline(
    name="profiler_series",
    cpp_sources="torch::Tensor series(torch::Tensor x, torch::Tensor coefficients);",
    cuda_sources=SOURCE, functions=["series"])


class Model(nn.Module):
    """The coefficient of the highest power comes first."""

    def __init__(self, terms):
        super().__init__()
        self.coefficients = nn.Parameter(torch.randn(terms))

    def forward(self, x):
        return extension.series(x, self.coefficients)


rows = 4096
width = 4096
terms = 1024


def get_inputs():
    return [1.8 * torch.rand(rows, width) - 0.9]


def get_init_inputs():
    return [terms]
