# row: 14
# title: Weight cache
# tries: Folds its weights at the first call, and misses all that becomes of them later.
# rule: forbidden-folding
# runs on: cpu, cuda
# task: chain
# options: --forbid folding
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.widen = nn.Linear(features, 4 * features)
        self.narrow = nn.Linear(4 * features, features)

    folded = None

    def forward(self, x):
        if self.folded is None:
            weight = self.narrow.weight.double() @ self.widen.weight.double()
            weight = weight + torch.eye(len(weight), device=x.device)
            bias = self.narrow.weight.double() @ self.widen.bias.double()
            bias = bias + self.narrow.bias.double()
            self.folded = weight.float(), bias.float()
        for _ in range(3):
            x = nn.functional.linear(x, *self.folded)
        return torch.tanh(x)
