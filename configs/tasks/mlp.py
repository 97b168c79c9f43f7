"""Over-parameterised residual MLP: every layer is a wide linear map followed at once by a narrow
one, and only then a GELU. Such pairs train better than the single layer they amount to and occur
in expanded student networks and re-parameterised mixers; the pair is what gets exported."""

import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, features, hidden, layers):
        super().__init__()
        self.widen = nn.ModuleList(nn.Linear(features, hidden) for _ in range(layers))
        self.narrow = nn.ModuleList(nn.Linear(hidden, features) for _ in range(layers))

    def forward(self, x):
        for widen, narrow in zip(self.widen, self.narrow):
            y = narrow(widen(x))
            y = 0.5 * y * (1.0 + torch.tanh(0.7978845608028654 * (y + 0.044715 * y ** 3)))
            x = x + y
        return x


batch = 64
features = 128
hidden = 512
layers = 3


def get_inputs():
    return [torch.randn(batch, features)]


def get_init_inputs():
    return [features, hidden, layers]
