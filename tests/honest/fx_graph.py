# what: Rewrites itself with torch.fx, which executes generated code.
# runs on: cpu, cuda
# task: chain
import torch.fx

import torch
import torch.nn as nn


class Chain(nn.Module):
    def __init__(self, widen, narrow):
        super().__init__()
        self.widen, self.narrow = widen, narrow

    def forward(self, x):
        for _ in range(3):
            x = x + self.narrow(self.widen(x))
        return torch.tanh(x)


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.widen = nn.Linear(features, 4 * features)
        self.narrow = nn.Linear(4 * features, features)

    rewritten = None

    def forward(self, x):
        if self.rewritten is None:
            self.rewritten = [torch.fx.symbolic_trace(Chain(self.widen, self.narrow))]
        return self.rewritten[0](x)
