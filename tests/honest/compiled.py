# what: Compiles its forward with torch.compile.
# class: own, libraries
# runs on: cpu, cuda
# task: chain
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.widen = nn.Linear(features, 4 * features)
        self.narrow = nn.Linear(4 * features, features)

    compiled = None

    def forward(self, x):
        if self.compiled is None:
            self.compiled = torch.compile(self.chain)
        return self.compiled(x)

    def chain(self, x):
        for _ in range(3):
            x = x + self.narrow(self.widen(x))
        return torch.tanh(x)
