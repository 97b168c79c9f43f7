# what: Notes a case that it meets late in its compiler's cache folder, while it is timed.
# runs on: cpu
# task: product
import os

import torch.nn as nn

LATE = 40


class ModelNew(nn.Module):
    def __init__(self, *args):
        super().__init__()
        self.calls = 0

    def forward(self, a, b):
        self.calls += 1
        if self.calls == LATE:
            folder = os.environ["TORCHINDUCTOR_CACHE_DIR"]
            os.makedirs(folder, exist_ok=True)
            with open(f"{folder}/case", "w") as file:
                file.write("compiled")
        return a @ b
