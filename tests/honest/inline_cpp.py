# what: Builds C++ of its own with load_inline and calls it.
# class: fallback
# runs on: cpu, cuda
# task: product
import torch
import torch.nn as nn
from torch.utils.cpp_extension import load_inline

SOURCE = """
#include <torch/extension.h>
torch::Tensor product(torch::Tensor a, torch::Tensor b) {
  return at::mm(a, b);
}
"""
extension = load_inline("candidate_product", SOURCE, functions=["product"])


class ModelNew(nn.Module):
    def forward(self, a, b):
        return extension.product(a, b)
