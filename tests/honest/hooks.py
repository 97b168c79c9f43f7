# what: Registers forward hooks on its modules.
# runs on: cpu, cuda
# task: chain
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.widen = nn.Linear(features, 4 * features)
        self.narrow = nn.Linear(4 * features, features)

    hooked = False

    def forward(self, x):
        if not self.hooked:
            self.hooked = True
            self.widen.register_forward_hook(lambda module, given, made: made * 1.0)
        for _ in range(3):
            x = x + self.narrow(self.widen(x))
        return torch.tanh(x)
