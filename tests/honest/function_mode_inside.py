# what: Uses a torch function mode and leaves it before it returns.
# runs on: cpu, cuda
# task: chain
import torch.overrides

import torch
import torch.nn as nn


class Count(torch.overrides.TorchFunctionMode):
    def __torch_function__(self, function, types, args=(), kwargs=None):
        return function(*args, **(kwargs or {}))


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.widen = nn.Linear(features, 4 * features)
        self.narrow = nn.Linear(4 * features, features)

    def forward(self, x):
        with Count():
            for _ in range(3):
                x = x + self.narrow(self.widen(x))
        return torch.tanh(x)
