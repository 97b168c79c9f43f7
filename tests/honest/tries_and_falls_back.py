# what: Tries a faster way first and falls back where it is not there.
# runs on: cpu, cuda
# task: chain
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.widen = nn.Linear(features, 4 * features)
        self.narrow = nn.Linear(4 * features, features)

    def forward(self, x):
        try:
            import a_library_that_is_not_here as fast
        except ImportError:
            fast = self
        for _ in range(3):
            x = x + fast.narrow(fast.widen(x))
        return torch.tanh(x)
