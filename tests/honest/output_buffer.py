# what: Returns the same buffer of its own every time, written anew.
# runs on: cpu, cuda
# task: chain
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.widen = nn.Linear(features, 4 * features)
        self.narrow = nn.Linear(4 * features, features)

    answer = None

    def forward(self, x):
        if self.answer is None:
            self.answer = torch.empty_like(x)
        for _ in range(3):
            x = x + self.narrow(self.widen(x))
        return torch.tanh(x, out=self.answer)
