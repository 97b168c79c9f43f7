"""Fused layer norm, with the residual's scale folded into its weight and bias when the model is
made; the last norm needs one pass for the length of each row and one for the product."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class ModelNew(nn.Module):
    def __init__(self, features, layers, eps):
        super().__init__()
        self.eps = eps
        weight = 1.0 + 0.5 * torch.randn(layers, features)
        bias = 0.5 * torch.randn(layers, features)
        scale = torch.rand(layers, 1)
        self.weight = nn.Parameter(scale * weight)
        self.bias = nn.Parameter(scale * bias)
        self.last = nn.Parameter(1.0 + 0.5 * torch.randn(features))

    def forward(self, x):
        shape = x.shape[-1:]
        for weight, bias in zip(self.weight, self.bias):
            x = F.layer_norm(x, shape, weight, bias, self.eps).add_(x)
        norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        scale = torch.rsqrt_(norm.square_().div_(shape[0]).add_(self.eps))
        return x.mul_(scale).mul_(self.last)
