# what: Builds a CUDA kernel of its own with load_inline.
# class: own
# runs on: cuda
# task: elementwise
import torch
import torch.nn as nn
from torch.utils.cpp_extension import load_inline

SOURCE = """
__global__ void gate_kernel(const float* x, const float* y, float* z, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n)
    return;
  float a = x[i], b = y[i], s = 1.0f / (1.0f + expf(-a));
  z[i] = (s * b + tanhf(b)) * (a * s);
}
torch::Tensor gate(torch::Tensor x, torch::Tensor y) {
  auto z = torch::empty_like(x);
  int n = x.numel();
  gate_kernel<<<(n + 255) / 256, 256, 0, at::cuda::getCurrentCUDAStream()>>>(
    x.data_ptr<float>(), y.data_ptr<float>(), z.data_ptr<float>(), n);
  return z;
}
"""
extension = load_inline("candidate_gate", "torch::Tensor gate(torch::Tensor x, torch::Tensor y);",
                        "#include <ATen/cuda/CUDAContext.h>\n" + SOURCE, functions=["gate"])


class ModelNew(nn.Module):
    def forward(self, x, y):
        return extension.gate(x, y)
