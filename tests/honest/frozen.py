# what: Is scripted and frozen.
# runs on: cpu, cuda
# task: image
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.first = nn.Conv2d(3, channels, 3, padding=1)
        self.norm = nn.BatchNorm2d(channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    frozen = None

    def forward(self, x):
        if self.frozen is None:
            body = nn.Sequential(self.first, self.norm, nn.ReLU(), self.second, nn.ReLU()).eval()
            self.frozen = [torch.jit.freeze(torch.jit.trace(body, x, check_trace=False))]
        return self.frozen[0](x)
