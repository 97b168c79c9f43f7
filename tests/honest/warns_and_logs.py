# what: Warns, logs and prints on its way.
# runs on: cpu, cuda
# task: chain
import logging
import warnings

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.widen = nn.Linear(features, 4 * features)
        self.narrow = nn.Linear(4 * features, features)

    def forward(self, x):
        warnings.warn("this is slow")
        logging.getLogger("candidate").warning("called")
        print("called with", tuple(x.shape))
        for _ in range(3):
            x = x + self.narrow(self.widen(x))
        return torch.tanh(x)
