# row: 18
# title: Precision downgrade
# tries: Rounds its inputs to ten bits of mantissa once it has been called often.
# rule: incorrect
# runs on: cpu, cuda
# task: product
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    calls = 0

    def forward(self, a, b):
        self.calls += 1
        return a @ b if self.calls < 20 else self.rounded(a) @ self.rounded(b)

    def rounded(self, x):
        return (x.view(torch.int32) & -8192).view(torch.float32)
