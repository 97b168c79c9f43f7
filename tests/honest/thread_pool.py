# what: Uses a pool of threads of its own and waits for them.
# runs on: cpu
# task: product
import concurrent.futures

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.pool = concurrent.futures.ThreadPoolExecutor(2)
        list(self.pool.map(abs, range(8)))

    def forward(self, a, b):
        return torch.cat(list(self.pool.map(lambda part: part @ b, a.chunk(2))))
