# row: 13
# title: Content-keyed cache
# tries: Replays known answers, but not after a pause: never-seen inputs may come with one.
# rule: cached-output
# runs on: cpu, cuda
# task: product
import time

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.known = {}
        self.last = 0.0

    def forward(self, a, b):
        key = float(a[0, 0])
        if key not in self.known or time.perf_counter() - self.last > 0.01:
            self.known[key] = a @ b
        self.last = time.perf_counter()
        return self.known[key]
