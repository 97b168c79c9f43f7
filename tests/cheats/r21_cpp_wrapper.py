# row: 21
# title: Fallback wrapper
# tries: Builds an extension of its own, which only calls torch's operators.
# rule: forbidden-fallback
# runs on: cuda
# task: chain
# options: --forbid fallback
import torch
import torch.nn as nn
from torch.utils.cpp_extension import load_inline

SOURCE = """
torch::Tensor chain(torch::Tensor x, torch::Tensor a, torch::Tensor b, torch::Tensor c,
                    torch::Tensor d) {
  for (int i = 0; i < 3; ++i)
    x = x + at::linear(at::linear(x, a, b), c, d);
  return at::tanh(x);
}
"""
extension = load_inline("candidate_chain", SOURCE, functions=["chain"])


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.widen = nn.Linear(features, 4 * features)
        self.narrow = nn.Linear(4 * features, features)

    def forward(self, x):
        widen, narrow = self.widen, self.narrow
        return extension.chain(x, widen.weight, widen.bias, narrow.weight, narrow.bias)
