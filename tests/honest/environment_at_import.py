# what: Sets environment variables for its tools when it is imported.
# runs on: cpu, cuda
# task: chain
import os

import torch
import torch.nn as nn


os.environ["TORCH_CUDA_ARCH_LIST"] = "9.0"
os.environ.setdefault("TORCHINDUCTOR_MAX_AUTOTUNE", "0")


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.widen = nn.Linear(features, 4 * features)
        self.narrow = nn.Linear(4 * features, features)

    def forward(self, x):
        for _ in range(3):
            x = x + self.narrow(self.widen(x))
        return torch.tanh(x)
