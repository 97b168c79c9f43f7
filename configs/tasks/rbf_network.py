"""Radial basis function network: squared distances between all points and all centres by
broadcasting, a Gaussian of each with its own width, a linear read-out. Occurs in kernel methods,
in distance encodings of molecular models and in surrogate models."""

import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, features, centres, outputs):
        super().__init__()
        self.centres = nn.Parameter(torch.randn(centres, features))
        self.log_width = nn.Parameter(0.2 * torch.randn(centres))
        self.weight = nn.Parameter(torch.randn(centres, outputs))

    def forward(self, x):
        difference = x[:, None, :] - self.centres[None, :, :]
        squared = (difference ** 2).sum(dim=-1)
        gaussian = torch.exp(-squared * torch.exp(self.log_width) / (2.0 * x.shape[1]))
        return gaussian @ self.weight


points = 256
features = 16
centres = 128
outputs = 32


def get_inputs():
    return [torch.randn(points, features)]


def get_init_inputs():
    return [features, centres, outputs]
