# what: Holds its settings in dataclasses and named tuples, which write code for themselves.
# runs on: cpu, cuda
# task: chain
import dataclasses
import typing

import torch
import torch.nn as nn


@dataclasses.dataclass(frozen=True)
class Settings:
    steps: int = 3


class Answer(typing.NamedTuple):
    value: torch.Tensor


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.widen = nn.Linear(features, 4 * features)
        self.narrow = nn.Linear(4 * features, features)

    settings = Settings()

    def forward(self, x):
        for _ in range(self.settings.steps):
            x = x + self.narrow(self.widen(x))
        return Answer(torch.tanh(x)).value
