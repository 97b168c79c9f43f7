"""Gated recurrent unit, cell by cell: six linear maps a time step, gates from elementary
operations. Occurs in streaming speech, forecasting and control models that are served on CPUs with
small batches."""

import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, features, state):
        super().__init__()
        self.state = state
        self.input_reset = nn.Linear(features, state)
        self.input_update = nn.Linear(features, state)
        self.input_new = nn.Linear(features, state)
        self.state_reset = nn.Linear(state, state)
        self.state_update = nn.Linear(state, state)
        self.state_new = nn.Linear(state, state)

    def forward(self, x):
        h = x.new_zeros(x.shape[0], self.state)
        states = []
        for t in range(x.shape[1]):
            step = x[:, t]
            reset = torch.sigmoid(self.input_reset(step) + self.state_reset(h))
            update = torch.sigmoid(self.input_update(step) + self.state_update(h))
            new = torch.tanh(self.input_new(step) + reset * self.state_new(h))
            h = (1.0 - update) * new + update * h
            states.append(h)
        return torch.stack(states, dim=1)


batch = 8
length = 48
features = 32
state = 64


def get_inputs():
    return [torch.randn(batch, length, features)]


def get_init_inputs():
    return [features, state]
