# what: Multiplies block by block.
# runs on: cpu, cuda
# task: product
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, a, b):
        return torch.cat([part @ b for part in a.chunk(4)])
