# what: Uses torch.cuda.make_graphed_callables.
# class: graphs
# runs on: cuda
# task: chain
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.widen = nn.Linear(features, 4 * features)
        self.narrow = nn.Linear(4 * features, features)

    graphed = None

    def forward(self, x):
        if self.graphed is None:
            self.graphed = torch.cuda.make_graphed_callables(self.chain, (x.clone(),))
        return self.graphed(x)

    def chain(self, x):
        for _ in range(3):
            x = x + self.narrow(self.widen(x))
        return torch.tanh(x)
