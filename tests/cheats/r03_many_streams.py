# row: 3
# title: Side-stream work
# tries: Spreads its work over streams which the default one never waits for.
# rule: harmless or unjoined-work or late-work or incorrect or clock-mismatch
# runs on: cuda
# task: chain
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

    def forward(self, x):
        if not hasattr(self, "streams"):
            self.streams = [torch.cuda.Stream() for _ in range(4)]
        parts = x.chunk(4)
        answer = torch.empty_like(x)
        for stream, part, target in zip(self.streams, parts, answer.chunk(4)):
            with torch.cuda.stream(stream):
                torch.cuda._sleep(500_000)
                target.copy_(self.honest(part))
        return answer
