# row: 3
# title: Side-stream work
# tries: Makes another stream the current one, so that the evaluator's marks go there.
# rule: global-state
# runs on: cuda
# task: product
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, a, b):
        answer = torch.mm(a, b)
        torch.cuda.set_stream(torch.cuda.Stream())
        return answer
