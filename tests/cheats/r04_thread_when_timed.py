# row: 4
# title: Background thread or process
# tries: Once it has been called often, hands its work to a thread and returns.
# rule: background-work or wrong-when-timed
# runs on: cpu, cuda
# task: product
import threading

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    calls = 0

    def forward(self, a, b):
        self.calls += 1
        answer = torch.empty_like(a)
        worker = threading.Thread(target=lambda: torch.mm(a, b, out=answer))
        if self.calls > 8:
            worker.start()
        else:
            worker.run()
        return answer
