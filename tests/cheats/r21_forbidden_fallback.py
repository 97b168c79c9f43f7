# row: 21
# title: Fallback wrapper
# tries: Tries a kernel that cannot exist and falls back on torch where that is forbidden.
# rule: forbidden-fallback
# runs on: cuda
# task: chain
# options: --forbid fallback
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
        try:
            return torch.ops.lathe_fused.chain(x)
        except (AttributeError, RuntimeError):
            return self.honest(x)
