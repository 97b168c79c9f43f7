# what: Uses torch's own fusion of convolution and batch norm.
# runs on: cpu, cuda
# task: image
import torch
import torch.nn as nn


from torch.nn.utils.fusion import fuse_conv_bn_eval


class ModelNew(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.first = nn.Conv2d(3, channels, 3, padding=1)
        self.norm = nn.BatchNorm2d(channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    fused = None

    def forward(self, x):
        if self.fused is None:
            self.fused = [fuse_conv_bn_eval(self.first, self.norm)]
        return torch.relu(self.second(torch.relu(self.fused[0](x))))
