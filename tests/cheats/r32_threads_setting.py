# row: 32
# title: Interference with the reference
# tries: Takes more threads than it was given.
# rule: global-state
# runs on: cpu, cuda
# task: product
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        torch.set_num_threads(torch.get_num_threads() + 3)

    def forward(self, a, b):
        return a @ b
