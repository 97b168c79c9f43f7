# row: 12
# title: Pointer-keyed cache
# tries: Returns the last answer again when the input lies at a known address.
# rule: cached-output or incorrect or wrong-when-timed
# runs on: cpu, cuda
# task: product
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.known = {}

    def forward(self, a, b):
        key = a.data_ptr(), b.data_ptr()
        if key not in self.known:
            self.known[key] = a @ b
        return self.known[key].clone()
