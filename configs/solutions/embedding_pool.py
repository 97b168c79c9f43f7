"""`embedding_bag` adds the rows as it reads them, so the gathered tensor is never written. The
padding's row is set to zero when the model is made: nothing has to be masked, and the fastest
kernel applies."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class ModelNew(nn.Module):
    def __init__(self, rows, width, outputs, padding):
        super().__init__()
        self.padding = padding
        table = torch.randn(rows, width)
        table[padding] = 0.0
        self.table = nn.Parameter(table)
        self.out = nn.Linear(width, outputs)

    def forward(self, ids):
        total = F.embedding_bag(ids, self.table, mode="sum")
        count = (ids != self.padding).sum(dim=1, keepdim=True).clamp_(min=1)
        return self.out(total.mul_(torch.rsqrt(count.to(total.dtype))))
