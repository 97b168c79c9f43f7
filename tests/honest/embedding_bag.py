# what: Sums embeddings by an embedding bag.
# runs on: cpu, cuda
# task: lookup
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, words, width):
        super().__init__()
        self.table = nn.Embedding(words, width)

    def forward(self, words):
        return nn.functional.embedding_bag(words, self.table.weight, mode="sum").max(dim=1)
