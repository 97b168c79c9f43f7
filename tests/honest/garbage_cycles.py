# what: Makes cycles of objects, and collects them now and then.
# runs on: cpu, cuda
# task: chain
import gc

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.widen = nn.Linear(features, 4 * features)
        self.narrow = nn.Linear(4 * features, features)

    calls = 0

    def forward(self, x):
        loop = [x]
        loop.append(loop)
        self.calls += 1
        if self.calls % 16 == 0:
            gc.collect()
        for _ in range(3):
            x = x + self.narrow(self.widen(x))
        return torch.tanh(x)
