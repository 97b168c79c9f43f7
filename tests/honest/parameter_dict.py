# what: Keeps its weights in a parameter dict, drawn in the reference's order.
# runs on: cpu, cuda
# task: chain
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        widen = nn.Linear(features, 4 * features)
        narrow = nn.Linear(4 * features, features)
        self.weights = nn.ParameterDict({"w1": widen.weight, "b1": widen.bias,
                                         "w2": narrow.weight, "b2": narrow.bias})

    def forward(self, x):
        p = self.weights
        for _ in range(3):
            y = nn.functional.linear(x, p["w1"], p["b1"])
            x = x + nn.functional.linear(y, p["w2"], p["b2"])
        return torch.tanh(x)
