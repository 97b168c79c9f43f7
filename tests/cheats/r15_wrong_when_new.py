# row: 15
# title: Batch and skip
# tries: Answers inputs that are new while it is timed wrongly and at once, works them out when they come again, and replays them from then on.
# rule: wrong-when-timed
# runs on: cpu, cuda
# task: product
import torch
import torch.nn as nn

CHECKED = 5  # draws


class ModelNew(nn.Module):
    first = set()

    def __init__(self):
        super().__init__()
        self.known = {}
        self.met = set(self.first)

    def forward(self, a, b):
        key = float(a[0, 0])
        if len(self.first) < CHECKED:
            self.first.add(key)
            self.met.add(key)
        if key in self.known:
            return self.known[key]
        if key not in self.met:
            self.met.add(key)
            return next(iter(self.known.values()))
        self.known[key] = a @ b
        return self.known[key]
