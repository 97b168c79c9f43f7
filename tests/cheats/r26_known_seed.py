# row: 26
# title: Known seed
# tries: Makes the inputs anew from the published seed and returns the answer for those.
# rule: incorrect
# runs on: cpu, cuda
# task: product
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        state = torch.get_rng_state()
        torch.manual_seed(42)
        a, b = torch.rand(384, 384), torch.rand(384, 384)
        torch.set_rng_state(state)
        self.register_buffer("answer", a @ b)

    def forward(self, a, b):
        return self.answer.clone()
