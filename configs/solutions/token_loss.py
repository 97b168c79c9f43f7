"""The loss needs three numbers a token: the log-sum-exp of its logits, their mean, and the logit of
its target. The mean of the logits is itself linear in the input, so one more column of the head
gives it; the temperature is folded into the head. No probability is ever written."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class ModelNew(nn.Module):
    def __init__(self, features, classes, smoothing):
        super().__init__()
        self.smoothing = smoothing
        head = nn.Linear(features, classes)
        temperature = torch.rand(1) + 0.2
        self.weight = nn.Parameter(head.weight.detach() / temperature)
        self.bias = nn.Parameter(head.bias.detach() / temperature)
        self.mean_weight = nn.Parameter(self.weight.detach().double().mean(dim=0).float())
        self.mean_bias = nn.Parameter(self.bias.detach().double().mean().float())

    def forward(self, x, target):
        logits = F.linear(x, self.weight, self.bias)
        at_target = logits.gather(1, target.unsqueeze(1)).squeeze(1)
        mean = torch.mv(x, self.mean_weight) + self.mean_bias
        top = logits.amax(dim=1, keepdim=True)
        total = logits.sub_(top).exp_().sum(dim=1).log_().add_(top.squeeze(1))
        return total - (1.0 - self.smoothing) * at_target - self.smoothing * mean
