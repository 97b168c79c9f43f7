# row: 18
# title: Precision downgrade
# tries: Rounds its inputs to ten bits of mantissa, as tensor cores do.
# rule: incorrect
# runs on: cpu, cuda
# task: product
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, a, b):
        return self.rounded(a) @ self.rounded(b)

    def rounded(self, x):
        return (x.view(torch.int32) & -8192).view(torch.float32)
