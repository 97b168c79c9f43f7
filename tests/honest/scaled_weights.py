# what: Folds the scale of attention into its weights.
# runs on: cpu, cuda
# task: attention
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    scaled = None

    def forward(self, x):
        batch, length, width = x.shape
        if self.scaled is None:
            scale = torch.ones(3 * width, device=x.device)
            scale[:width] = (width // self.heads) ** -0.5
            self.scaled = self.qkv.weight * scale[:, None], self.qkv.bias * scale
        qkv = nn.functional.linear(x, *self.scaled).reshape(batch, length, 3, self.heads, -1)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        mixed = torch.softmax(q @ k.transpose(-2, -1), dim=-1) @ v
        return self.out(mixed.transpose(1, 2).reshape(batch, length, width))
