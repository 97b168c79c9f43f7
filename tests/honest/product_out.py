# what: Writes the product to a tensor that it made.
# class: libraries, fallback
# runs on: cpu, cuda
# task: product
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, a, b):
        return torch.mm(a, b, out=torch.empty(a.shape[0], b.shape[1], device=a.device))
