# row: 12
# title: Pointer-keyed cache
# tries: Returns the last answer again for the same tensor object.
# rule: cached-output or incorrect or wrong-when-timed
# runs on: cpu, cuda
# task: product
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    last = None

    def forward(self, a, b):
        if self.last is None or self.last[0] is not a:
            self.last = (a, a @ b)
        return self.last[1].clone()
