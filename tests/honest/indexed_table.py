# what: Indexes the table itself and returns a plain tuple.
# runs on: cpu, cuda
# task: lookup
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, words, width):
        super().__init__()
        self.table = nn.Embedding(words, width)

    def forward(self, words):
        sums = self.table.weight[words.reshape(-1)].reshape(*words.shape, -1).sum(1)
        return tuple(torch.max(sums, dim=1))
