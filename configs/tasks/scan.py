"""Gated linear recurrence: a state that decays by a gate computed from the input and takes in a
candidate value, h[t] = a[t] * h[t-1] + (1 - a[t]) * v[t], one time step after the other. The
mixing layer of minimal GRUs and of gated state-space models."""

import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, features, state):
        super().__init__()
        self.gate = nn.Linear(features, state)
        self.value = nn.Linear(features, state)

    def forward(self, x):
        decay = torch.sigmoid(self.gate(x) + 1.0)
        value = self.value(x)
        h = torch.zeros_like(value[:, 0])
        states = []
        for t in range(x.shape[1]):
            h = decay[:, t] * h + (1.0 - decay[:, t]) * value[:, t]
            states.append(h)
        return torch.stack(states, dim=1)


batch = 4
length = 256
features = 32
state = 64


def get_inputs():
    return [torch.randn(batch, length, features)]


def get_init_inputs():
    return [features, state]
