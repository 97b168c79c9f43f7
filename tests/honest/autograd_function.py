# what: Wraps its work in an autograd function of its own.
# runs on: cpu, cuda
# task: chain
import torch
import torch.nn as nn


class Step(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w1, b1, w2, b2):
        return x + nn.functional.linear(nn.functional.linear(x, w1, b1), w2, b2)


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.widen = nn.Linear(features, 4 * features)
        self.narrow = nn.Linear(4 * features, features)

    def forward(self, x):
        for _ in range(3):
            x = Step.apply(x, self.widen.weight, self.widen.bias, self.narrow.weight,
                           self.narrow.bias)
        return torch.tanh(x)
