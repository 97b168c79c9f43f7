# row: 2
# title: Input mutation
# tries: Returns its input's own memory with the answer in it.
# rule: input-mutation
# runs on: cpu, cuda
# task: product
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, a, b):
        a.copy_(a @ b)
        return a
