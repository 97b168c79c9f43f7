# what: Works in place on buffers of its own and returns a copy.
# runs on: cpu, cuda
# task: chain
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.widen = nn.Linear(features, 4 * features)
        self.narrow = nn.Linear(4 * features, features)

    work = None

    def forward(self, x):
        if self.work is None:
            self.work = torch.empty_like(x)
        self.work.copy_(x)
        for _ in range(3):
            self.work.add_(self.narrow(self.widen(self.work)))
        return torch.tanh(self.work)
