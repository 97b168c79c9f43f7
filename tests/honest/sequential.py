# what: Is built of nn.Sequential and residual blocks.
# runs on: cpu, cuda
# task: chain
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.block = nn.Sequential(nn.Linear(features, 4 * features),
                                   nn.Linear(4 * features, features))

    def forward(self, x):
        for _ in range(3):
            x = torch.add(x, self.block(x))
        return x.tanh_()
