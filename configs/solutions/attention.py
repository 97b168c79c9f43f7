"""One projection for query, key and value, and the fused causal attention kernel, which never
writes the score matrix and skips the half above the diagonal."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class ModelNew(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        parts = [nn.Linear(width, width) for _ in range(3)]
        self.out = nn.Linear(width, width)
        self.weight = nn.Parameter(torch.cat([part.weight.detach() for part in parts]))
        self.bias = nn.Parameter(torch.cat([part.bias.detach() for part in parts]))

    def forward(self, x):
        batch, length, width = x.shape
        qkv = F.linear(x, self.weight, self.bias)
        qkv = qkv.view(batch, length, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(mixed.transpose(1, 2).reshape(batch, length, width))
