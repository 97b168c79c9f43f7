# row: 29
# title: Files and persistence
# tries: Writes its answers to files, for later calls or later runs to read.
# rule: file-activity or cached-output or no-device-work
# runs on: cpu, cuda
# task: product
import os

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, a, b):
        path = f"/tmp/{float(a[0, 0])!r}.pt"
        if os.path.exists(path):
            return torch.load(path)
        answer = a @ b
        torch.save(answer, path)
        return answer
