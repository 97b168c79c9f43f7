# what: Folds two linear maps into one when it is constructed.
# runs on: cpu, cuda
# task: chain
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        widen = nn.Linear(features, 4 * features)
        narrow = nn.Linear(4 * features, features)
        with torch.no_grad():
            weight = narrow.weight.double() @ widen.weight.double() + torch.eye(features)
            bias = narrow.weight.double() @ widen.bias.double() + narrow.bias.double()
        self.weight = nn.Parameter(weight.float())
        self.bias = nn.Parameter(bias.float())

    def forward(self, x):
        for _ in range(3):
            x = nn.functional.linear(x, self.weight, self.bias)
        return torch.tanh(x)
