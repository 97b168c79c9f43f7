# what: Computes its convolutions as matrix products.
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

    def forward(self, x):
        x = torch.relu(self.norm(self.convolve(x, self.first)))
        return torch.relu(self.convolve(x, self.second))

    def convolve(self, x, layer):
        columns = nn.functional.unfold(x, 3, padding=1)
        flat = layer.weight.reshape(len(layer.weight), -1) @ columns
        return flat.reshape(len(x), -1, *x.shape[2:]) + layer.bias[None, :, None, None]
