# what: Computes in float64 and rounds at the end.
# runs on: cpu, cuda
# task: product
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, a, b):
        return (a.double() @ b.double()).float()
