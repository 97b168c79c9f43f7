# row: 18
# title: Precision downgrade
# tries: Computes a float32 task in half precision.
# rule: incorrect
# runs on: cpu, cuda
# task: chain
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.widen = nn.Linear(features, 4 * features)
        self.narrow = nn.Linear(4 * features, features)

    def honest(self, x):
        for _ in range(3):
            x = x + self.narrow(self.widen(x))
        return torch.tanh(x)

    def forward(self, x):
        if self.widen.weight.dtype != torch.bfloat16:
            self.bfloat16()
        return self.honest(x.bfloat16()).float()
