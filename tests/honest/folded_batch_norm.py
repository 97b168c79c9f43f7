# what: Folds batch norm into the convolution before it.
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

    folded = None

    def forward(self, x):
        if self.folded is None:
            scale = self.norm.weight / torch.sqrt(self.norm.running_var + self.norm.eps)
            self.folded = (self.first.weight * scale[:, None, None, None],
                           (self.first.bias - self.norm.running_mean) * scale + self.norm.bias)
        x = nn.functional.conv2d(x, *self.folded, padding=1).relu_()
        return self.second(x).relu_()
