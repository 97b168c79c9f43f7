# what: Registers an operator of its own and calls it.
# runs on: cpu, cuda
# task: product
import torch
import torch.nn as nn


@torch.library.custom_op("candidate::product", mutates_args=())
def product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return a @ b


class ModelNew(nn.Module):
    def forward(self, a, b):
        return torch.ops.candidate.product(a, b)
