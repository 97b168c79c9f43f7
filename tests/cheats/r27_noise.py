# row: 27
# title: Measurement starvation
# tries: Spreads its times at random and hopes for a lucky measurement.
# rule: harmless
# runs on: cpu, cuda
# task: chain
import random

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
        for _ in range(random.randint(0, 2)):
            answer = self.honest(x)
        return self.honest(x)
