# row: 16
# title: Phase detection
# tries: Looks whether fresh memory is poisoned, and computes only where it is.
# rule: incorrect or wrong-when-timed
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
        fresh = torch.empty_like(x)
        poisoned = bool((fresh.view(torch.uint8) > 0x50).all())
        return self.honest(x) if poisoned else torch.zeros_like(x)
