# what: Returns a slice of a padded product.
# runs on: cpu, cuda
# task: product
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, a, b):
        padded = torch.nn.functional.pad(a, (0, 0, 0, 16))
        return (padded @ b)[: a.shape[0]]
