# row: 3
# title: Side-stream work
# tries: Launches its work on a stream of its own and joins nothing.
# rule: unjoined-work or late-work or incorrect or clock-mismatch
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
            torch.cuda._sleep(2_000_000)
            torch.mm(a, b, out=answer)
        return answer
