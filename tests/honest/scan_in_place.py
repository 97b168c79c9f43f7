# what: Writes each step into its place of one answer.
# runs on: cpu, cuda
# task: scan
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, x):
        answer = torch.empty_like(x)
        state = torch.zeros_like(x[:, 0])
        for i in range(x.shape[1]):
            torch.add(x[:, i], state, alpha=0.9, out=answer[:, i])
            state = answer[:, i]
        return answer
