"""Mixture of experts with top-k routing: a router picks a few experts for each token; a loop runs
every expert on every token and weighs what nobody asked for with zero. The reference form of the
feed-forward layers of sparse language models."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class Model(nn.Module):
    def __init__(self, width, hidden, experts, top_k):
        super().__init__()
        self.top_k = top_k
        self.router = nn.Linear(width, experts, bias=False)
        self.up = nn.ModuleList(nn.Linear(width, hidden) for _ in range(experts))
        self.down = nn.ModuleList(nn.Linear(hidden, width) for _ in range(experts))

    def forward(self, x):
        best, chosen = torch.topk(self.router(x), self.top_k, dim=-1)
        weights = torch.softmax(best, dim=-1)
        out = torch.zeros_like(x)
        for e, (up, down) in enumerate(zip(self.up, self.down)):
            share = (weights * (chosen == e)).sum(dim=-1, keepdim=True)
            out = out + share * down(F.silu(up(x)))
        return out


tokens = 128
width = 64
hidden = 128
experts = 16
top_k = 2


def get_inputs():
    return [torch.randn(tokens, width)]


def get_init_inputs():
    return [width, hidden, experts, top_k]
