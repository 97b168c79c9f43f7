# what: Keeps its weights in half where the user allows half.
# runs on: cpu, cuda
# task: chain
# options: --tolerance half
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.widen = nn.Linear(features, 4 * features)
        self.narrow = nn.Linear(4 * features, features)

    halved = False

    def forward(self, x):
        if not self.halved:
            self.bfloat16()
            self.halved = True
        y = x.bfloat16()
        for _ in range(3):
            y = y + self.narrow(self.widen(y))
        return torch.tanh(y).float()
