# what: Counts its calls and keeps statistics, without acting on them.
# runs on: cpu, cuda
# task: chain
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.widen = nn.Linear(features, 4 * features)
        self.narrow = nn.Linear(4 * features, features)

    def forward(self, x):
        self.calls = getattr(self, "calls", 0) + 1
        for _ in range(3):
            x = x + self.narrow(self.widen(x))
        return torch.tanh(x)
