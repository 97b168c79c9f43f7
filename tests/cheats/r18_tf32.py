# row: 18
# title: Precision downgrade
# tries: Lets the tensor cores round a float32 task's inputs to TF32.
# rule: incorrect
# runs on: cuda
# task: product
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        torch.backends.cuda.matmul.allow_tf32 = True

    def forward(self, a, b):
        return a @ b
