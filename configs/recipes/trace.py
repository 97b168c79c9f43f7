"""Runs the model as a frozen TorchScript graph: no Python between operators, weights packed.

Declined on a GPU, where `graph` does more; in training; for inputs that are not tensors; for
control flow or shapes that depend on data; for a model that changes itself from call to call; and
for outputs that a trace cannot return.
"""

import torch
from recipes import data_dependence, moved, on_gpu, operators, outputs_differ

PRECISION = "fp32"
SLOT = "run"
AFTER = [["fold"], ["bfloat16"]]
RANDOM = {"bernoulli", "bernoulli_", "native_dropout", "rand", "randn", "rand_like", "randn_like"}


def applies(model, inputs, mode):
    if on_gpu(inputs):
        return "graph does more on a GPU"
    if mode == "train":
        return "weights change in training"
    if not all(isinstance(x, torch.Tensor) for x in inputs):
        return "inputs that are not tensors"
    called = operators(model, inputs)
    if reason := data_dependence(called):
        return reason
    if found := sorted(called & RANDOM):
        return f"draws random numbers ({', '.join(found)})"
    expected = model(*inputs)
    if outputs_differ(model(*inputs), expected):
        return "the same inputs give other outputs the second time"
    traced = rewrite(model)
    try:
        traced(*inputs)
        other = moved(inputs)
        pairs = [(traced(*inputs), expected), (traced(*other), model(*other))]
        if any(outputs_differ(*pair) for pair in pairs):
            return "a trace gives other outputs than the model"
    except Exception as problem:
        return f"cannot be traced: {problem}"
    return ""


class Traced(torch.nn.Module):
    """Calls a trace of `model`, made at the first call with inputs of these shapes and types."""

    def __init__(self, model):
        super().__init__()
        self.model = model
        self.traces = {}

    def forward(self, *inputs):
        key = tuple([(x.shape, x.dtype) for x in inputs])
        trace = self.traces.get(key)
        if trace is None:
            trace = torch.jit.trace(self.model.eval(), inputs, check_trace=False)
            trace = self.traces[key] = torch.jit.optimize_for_inference(trace)
        return trace(*inputs)


def rewrite(model):
    return Traced(model)
