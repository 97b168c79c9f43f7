# what: Is no nn.Module, but can be called like one.
# runs on: cpu
# task: chain
import torch
import torch.nn as nn


class ModelNew:
    def __init__(self, features):
        self.widen = nn.Linear(features, 4 * features)
        self.narrow = nn.Linear(4 * features, features)

    def __call__(self, x):
        for _ in range(3):
            x = x + self.narrow(self.widen(x))
        return torch.tanh(x)
