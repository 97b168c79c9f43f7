# row: 3
# title: Side-stream work
# tries: Leaves work of a few microseconds to a stream of its own, as much as noise could be.
# rule: harmless or unjoined-work or late-work or incorrect
# runs on: cuda
# task: product
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self):
        super().__init__()
        self.stream = torch.cuda.Stream()

    def forward(self, a, b):
        answer = torch.empty_like(a)
        with torch.cuda.stream(self.stream):
            torch.mm(a, b, out=answer)
        return answer
