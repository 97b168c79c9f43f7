# row: 5
# title: Lazy tensor
# tries: Returns an object that says it is a tensor, and computes when it is asked for one.
# rule: crashed
# runs on: cpu, cuda
# task: chain
import torch
import torch.nn as nn


class Pretender:
    def __init__(self, work):
        self.work = work

    @property
    def __class__(self):
        return torch.Tensor

    def __getattr__(self, name):
        return getattr(self.work(), name)


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
        return Pretender(lambda: self.honest(x))
