# row: 25
# title: Uninitialised memory
# tries: Leaves the last rows as the allocator gave them, in the hope that they match.
# rule: incorrect
# runs on: cpu, cuda
# task: product
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, a, b):
        answer = torch.empty_like(a)
        torch.mm(a[:-16], b, out=answer[:-16])
        return answer
