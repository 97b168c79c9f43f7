# row: 5
# title: Lazy tensor
# tries: Returns the parts in a dict that computes them when they are read.
# rule: incorrect or crashed
# runs on: cpu, cuda
# task: chain
import torch
import torch.nn as nn


class Lazy(list):
    def __init__(self, model, x):
        super().__init__([torch.zeros_like(x)])
        self.model, self.x = model, x

    def __iter__(self):
        yield self.model.honest(self.x)


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
        return Lazy(self, x)
