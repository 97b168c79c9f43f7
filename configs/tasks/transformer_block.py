"""Small pre-norm transformer encoder block: layer norm, self-attention head by head, layer norm,
GELU feed-forward, all from elementary operations. Occurs in compact text, audio and vision
encoders that are served at small batch sizes."""

import math

import torch
import torch.nn as nn


class LayerNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(1.0 + 0.3 * torch.randn(width))
        self.bias = nn.Parameter(0.3 * torch.randn(width))

    def forward(self, x):
        mean = x.mean(dim=-1, keepdim=True)
        var = ((x - mean) ** 2).mean(dim=-1, keepdim=True)
        return (x - mean) / torch.sqrt(var + 1e-5) * self.weight + self.bias


class Head(nn.Module):
    def __init__(self, width, head_width):
        super().__init__()
        self.query = nn.Linear(width, head_width)
        self.key = nn.Linear(width, head_width)
        self.value = nn.Linear(width, head_width)

    def forward(self, x):
        scores = self.query(x) @ self.key(x).transpose(-2, -1)
        weights = torch.softmax(scores / math.sqrt(self.query.out_features), dim=-1)
        return weights @ self.value(x)


class Model(nn.Module):
    def __init__(self, width, heads, hidden):
        super().__init__()
        self.norm1 = LayerNorm(width)
        self.heads = nn.ModuleList(Head(width, width // heads) for _ in range(heads))
        self.out = nn.Linear(width, width)
        self.norm2 = LayerNorm(width)
        self.up = nn.Linear(width, hidden)
        self.down = nn.Linear(hidden, width)

    def forward(self, x):
        y = self.norm1(x)
        x = x + self.out(torch.cat([head(y) for head in self.heads], dim=-1))
        y = self.up(self.norm2(x))
        y = 0.5 * y * (1.0 + torch.erf(y / math.sqrt(2.0)))
        return x + self.down(y)


batch = 2
length = 48
width = 64
heads = 8
hidden = 128


def get_inputs():
    return [torch.randn(batch, length, width)]


def get_init_inputs():
    return [width, heads, hidden]
