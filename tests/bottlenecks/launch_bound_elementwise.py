"""Integrates 4096 damped pendulums over 60 time steps, operation by operation. The 480 elementwise
kernels have 16 KB each to work on and are done long before the next one has been launched."""

import torch
import torch.nn as nn

BOTTLENECK = "launch-bound"


class Model(nn.Module):
    def __init__(self, steps, step):
        super().__init__()
        self.steps = steps
        self.step = step

    def forward(self, angle, speed, damping):
        for _ in range(self.steps):
            force = -torch.sin(angle) - damping * speed
            speed = speed + self.step * force
            angle = angle + self.step * speed
        return angle


count = 4096
steps = 60
step = 0.05


def get_inputs():
    return [torch.randn(count), torch.randn(count), torch.rand(count)]


def get_init_inputs():
    return [steps, step]
