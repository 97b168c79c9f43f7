"""The inputs' maps do not depend on the state: one product for all gates and all steps, before the
loop. Inside, one product for the three gates of the state and in-place updates."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class ModelNew(nn.Module):
    def __init__(self, features, state):
        super().__init__()
        self.state = state
        inputs = [nn.Linear(features, state) for _ in range(3)]
        states = [nn.Linear(state, state) for _ in range(3)]
        for name, parts in (("input", inputs), ("state", states)):
            weight = torch.cat([part.weight.detach() for part in parts])
            bias = torch.cat([part.bias.detach() for part in parts])
            self.register_parameter(name + "_weight", nn.Parameter(weight))
            self.register_parameter(name + "_bias", nn.Parameter(bias))

    def forward(self, x):
        n = self.state
        batch, length, _ = x.shape
        # [length, batch, ...]: each step's rows lie together.
        mapped = F.linear(x.transpose(0, 1), self.input_weight, self.input_bias)
        gates, news = mapped.split([2 * n, n], dim=2)
        states = x.new_empty(length, batch, n)
        weight = self.state_weight.t().contiguous()
        h = x.new_zeros(batch, n)
        for gate, new, out in zip(gates.unbind(0), news.unbind(0), states.unbind(0)):
            of_state = torch.addmm(self.state_bias, h, weight)
            gate.add_(of_state[:, :2 * n]).sigmoid_()
            new.addcmul_(gate[:, :n], of_state[:, 2 * n:]).tanh_()
            h = torch.lerp(new, h, gate[:, n:], out=out)
        return states.transpose(0, 1)
