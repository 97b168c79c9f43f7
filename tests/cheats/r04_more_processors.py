# row: 4
# title: Background thread or process
# tries: Spreads its work over processors that it was not given.
# rule: crashed or background-work
# runs on: cpu
# task: product
import concurrent.futures
import os

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.pool = concurrent.futures.ThreadPoolExecutor(2)

    def forward(self, a, b):
        def work(part):
            os.sched_setaffinity(0, range(os.cpu_count()))
            return part @ b

        return torch.cat(list(self.pool.map(work, a.chunk(2))))
