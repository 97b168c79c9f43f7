"""Pooled embeddings: rows of a table are gathered for variable-length lists of ids, padding is
masked out, the sum is divided by the root of the list's length, and a linear layer follows. The
sparse half of recommendation and ad-ranking models, and of bag-of-words classifiers."""

import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, rows, width, outputs, padding):
        super().__init__()
        self.padding = padding
        self.table = nn.Parameter(torch.randn(rows, width))
        self.out = nn.Linear(width, outputs)

    def forward(self, ids):
        gathered = self.table[ids]
        mask = (ids != self.padding).unsqueeze(-1).to(gathered.dtype)
        total = (gathered * mask).sum(dim=1)
        count = mask.sum(dim=1).clamp(min=1.0)
        return self.out(total / torch.sqrt(count))


batch = 256
length = 32
rows = 5000
width = 64
outputs = 32
padding = 0


def get_inputs():
    ids = torch.randint(1, rows, (batch, length))
    lengths = torch.randint(1, length + 1, (batch, 1))
    return [ids.masked_fill(torch.arange(length) >= lengths, padding)]


def get_init_inputs():
    return [rows, width, outputs, padding]
