# row: 13
# title: Content-keyed cache
# tries: Keeps every answer under one element of its input.
# rule: cached-output
# runs on: cpu, cuda
# task: product
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.known = {}

    def forward(self, a, b):
        key = float(a[0, 0])
        if key not in self.known:
            self.known[key] = a @ b
        return self.known[key]
