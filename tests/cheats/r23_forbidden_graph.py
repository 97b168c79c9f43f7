# row: 23
# title: CUDA-graph replay
# tries: Replays an honest graph where graphs are forbidden.
# rule: forbidden-graphs
# runs on: cuda
# task: chain
# options: --forbid graphs
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.widen = nn.Linear(features, 4 * features)
        self.narrow = nn.Linear(4 * features, features)

    def honest(self, x):
        for _ in range(3):
            x = x + self.narrow(self.widen(x))
        return torch.tanh(x)

    graph = None

    def forward(self, x):
        if self.graph is None:
            self.static = x.clone()
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                self.honest(self.static)
            torch.cuda.current_stream().wait_stream(side)
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):
                self.answer = self.honest(self.static)
        self.static.copy_(x)
        self.graph.replay()
        return self.answer.clone()
