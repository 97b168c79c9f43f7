# what: Chooses its precision and benchmark settings when it is imported.
# runs on: cpu, cuda
# task: chain
import torch
import torch.nn as nn


torch.backends.cudnn.benchmark = True
torch.backends.cudnn.allow_tf32 = False
torch.set_float32_matmul_precision("highest")


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.widen = nn.Linear(features, 4 * features)
        self.narrow = nn.Linear(4 * features, features)

    def forward(self, x):
        for _ in range(3):
            x = x + self.narrow(self.widen(x))
        return torch.tanh(x)
