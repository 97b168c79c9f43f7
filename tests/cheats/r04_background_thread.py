# row: 4
# title: Background thread or process
# tries: Returns at once; a thread fills the answer in when the clock has stopped.
# rule: incorrect or wrong-when-timed or background-work
# runs on: cpu, cuda
# task: product
import threading

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def forward(self, a, b):
        answer = torch.empty_like(a)
        threading.Thread(target=lambda: answer.copy_(a @ b)).start()
        return answer
