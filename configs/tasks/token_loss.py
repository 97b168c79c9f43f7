"""Per-token loss over a vocabulary: logits with a temperature, log-softmax from exponentials,
label smoothing against a one-hot matrix. The evaluation step of language models and of classifiers
with many classes, where the whole probability matrix is not needed."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class Model(nn.Module):
    def __init__(self, features, classes, smoothing):
        super().__init__()
        self.classes = classes
        self.smoothing = smoothing
        self.head = nn.Linear(features, classes)
        self.temperature = nn.Parameter(torch.rand(1) + 0.2)

    def forward(self, x, target):
        logits = self.head(x) / self.temperature
        shifted = logits - logits.max(dim=-1, keepdim=True).values
        log_prob = torch.log(torch.exp(shifted) / torch.exp(shifted).sum(dim=-1, keepdim=True))
        wanted = F.one_hot(target, self.classes).to(x.dtype)
        wanted = (1.0 - self.smoothing) * wanted + self.smoothing / self.classes
        return -(wanted * log_prob).sum(dim=-1)


tokens = 128
features = 32
classes = 2000
smoothing = 0.1


def get_inputs():
    return [torch.randn(tokens, features), torch.randint(0, classes, (tokens,))]


def get_init_inputs():
    return [features, classes, smoothing]
