# what: Computes under autocast to half where the user allows half.
# runs on: cpu, cuda
# task: chain
# options: --tolerance half
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.widen = nn.Linear(features, 4 * features)
        self.narrow = nn.Linear(4 * features, features)

    def forward(self, x):
        with torch.autocast(x.device.type, dtype=torch.bfloat16):
            for _ in range(3):
                x = x + self.narrow(self.widen(x))
        return torch.tanh(x.float())
