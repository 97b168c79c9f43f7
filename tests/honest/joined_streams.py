# what: Spreads its work over streams and has the current one wait for them.
# runs on: cuda
# task: chain
import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.widen = nn.Linear(features, 4 * features)
        self.narrow = nn.Linear(4 * features, features)

    streams = None

    def forward(self, x):
        if self.streams is None:
            self.streams = [torch.cuda.Stream() for _ in range(2)]
        current = torch.cuda.current_stream()
        parts = []
        for stream, part in zip(self.streams, x.chunk(2)):
            stream.wait_stream(current)
            with torch.cuda.stream(stream):
                for _ in range(3):
                    part = part + self.narrow(self.widen(part))
                parts.append(torch.tanh(part))
        for stream, part in zip(self.streams, parts):
            current.wait_stream(stream)
            part.record_stream(current)
        return torch.cat(parts)
