# what: Spells the product as an einsum.
# runs on: cpu, cuda
# task: product
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, a, b):
        return torch.einsum("ij,jk->ik", a, b)
