# what: Works in place on its own intermediate results.
# runs on: cpu, cuda
# task: elementwise
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, x, y):
        s = torch.sigmoid(x)
        z = s.mul(y).add_(torch.tanh(y))
        return z.mul_(s.mul_(x))
