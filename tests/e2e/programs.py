"""Programs that the tests hand to lathe: tasks, right candidates, and a way to spoil them."""

from __future__ import annotations

# Many small operations: quick to judge, and easy to do faster.
TASK = '''"""A chain of scaled sums, written the long way round."""

import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.widen = nn.Linear(features, 4 * features)
        self.narrow = nn.Linear(4 * features, features)

    def forward(self, x):
        for _ in range(3):
            x = x + self.narrow(self.widen(x))
        return torch.tanh(x)


def get_inputs():
    return [torch.randn(64, 64)]


def get_init_inputs():
    return [64]
'''

# The two linear maps are one.
FASTER = '''import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        widen = nn.Linear(features, 4 * features)
        narrow = nn.Linear(4 * features, features)
        with torch.no_grad():
            weight = narrow.weight.double() @ widen.weight.double()
            bias = narrow.weight.double() @ widen.bias.double() + narrow.bias.double()
            weight += torch.eye(features)
        self.weight = nn.Parameter(weight.float())
        self.bias = nn.Parameter(bias.float())

    def forward(self, x):
        for _ in range(3):
            x = nn.functional.linear(x, self.weight, self.bias)
        return torch.tanh(x)
'''

UNCHANGED = TASK.replace("class Model(", "class ModelNew(")


def unchanged_but(statement: str) -> str:
    """The unchanged model, with a statement on its result `y` in line 15 before it is returned."""
    return UNCHANGED.replace(
        "    def forward(self, x):\n",
        "    def forward(self, x):\n"
        "        y = self.result(x)\n"
        f"        {statement}\n"
        "        return y\n\n"
        "    def result(self, x):\n",
    )


# Convolutions with batch norm behind them, and more Python than arithmetic.
FOLDABLE_TASK = '''"""Small convolutions, each with batch norm and an activation behind it."""

import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, channels, layers):
        super().__init__()
        blocks = []
        for _ in range(layers):
            blocks.append(nn.Conv2d(channels, channels, 3, padding=1))
            blocks.append(nn.BatchNorm2d(channels))
            blocks.append(nn.ReLU())
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x):
        return self.blocks(x)


def get_inputs():
    return [torch.randn(1, 4, 12, 12)]


def get_init_inputs():
    return [4, 8]
'''
