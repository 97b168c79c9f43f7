# row: 14
# title: Weight cache
# tries: Folds the first weights that it sees and uses them for every later model.
# rule: incorrect
# runs on: cpu, cuda
# task: chain
import torch
import torch.nn as nn


FOLDED = []


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
        if not FOLDED:
            weight = self.narrow.weight.double() @ self.widen.weight.double()
            bias = self.narrow.weight.double() @ self.widen.bias.double()
            bias = bias + self.narrow.bias.double()
            FOLDED.append((weight + torch.eye(len(weight), device=x.device)).float())
            FOLDED.append(bias.float())
        for _ in range(3):
            x = nn.functional.linear(x, FOLDED[0], FOLDED[1])
        return torch.tanh(x)
