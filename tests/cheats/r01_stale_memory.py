# row: 1
# title: Stale-memory no-op
# tries: Returns fresh memory, hoping that an earlier right answer still lies there.
# rule: incorrect
# runs on: cpu, cuda
# task: chain
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
        answer = self.honest(x)
        shape = answer.shape
        del answer
        return torch.empty(shape, device=x.device)
