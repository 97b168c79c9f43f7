# what: Waits for the device before it returns.
# runs on: cuda
# task: chain
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.widen = nn.Linear(features, 4 * features)
        self.narrow = nn.Linear(4 * features, features)

    def forward(self, x):
        for _ in range(3):
            x = x + self.narrow(self.widen(x))
        x = torch.tanh(x)
        torch.cuda.synchronize()
        return x
