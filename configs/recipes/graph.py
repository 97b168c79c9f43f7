"""Captures a call as one CUDA graph and replays it: the host launches once instead of each kernel.

Declined on a CPU; in training; for inputs that are neither tensors nor plain values; for control
flow or shapes that depend on data; for a model that changes itself from call to call or draws
random numbers; and for what CUDA cannot capture.
"""

import torch
from recipes import data_dependence, moved, on_gpu, operators, outputs_differ
from torch.utils._pytree import tree_map_only

PRECISION = "fp32"
SLOT = "graph"
AROUND = True
AFTER = [
    ["cudnn_benchmark?", "attention?", "freeze"],
    ["cudnn_benchmark?", "attention?", "float16", "channels_last?", "freeze"],
    ["cudnn_benchmark?", "attention?", "autocast", "freeze"],
    ["attention?", "tf32", "freeze"],
]
MOST_CAPTURES = 8  # each keeps memory of its own
PLAIN = (torch.Tensor, bool, int, float, str, type(None))


def applies(model, inputs, mode):
    if not on_gpu(inputs):
        return "no GPU"
    if mode == "train":
        return "a graph records no gradients"
    if not all(isinstance(x, PLAIN) for x in inputs):
        return "inputs that are neither tensors nor plain values"
    if reason := data_dependence(operators(model, inputs)):
        return reason
    other = moved(inputs)
    expected, flipped = model(*inputs), model(*other)
    if outputs_differ(model(*inputs), expected):
        return "the same inputs give other outputs the second time"
    captured = rewrite(model)
    try:
        pairs = [(captured(*inputs), expected), (captured(*other), flipped)]
        if any(outputs_differ(*pair) for pair in pairs):
            return "a graph gives other outputs than the model"
    except Exception as problem:
        return f"cannot be captured: {problem}"
    return ""


class Graphed(torch.nn.Module):
    """Replays graphs of `model`, one for each kind of inputs, captured when they first come."""

    def __init__(self, model):
        super().__init__()
        self.model = model
        self.captures = {}

    def forward(self, *inputs):
        key = tuple([kind_of(x) for x in inputs])
        if key not in self.captures:
            while len(self.captures) >= MOST_CAPTURES:
                self.captures.pop(next(iter(self.captures)))
            self.captures[key] = capture_call(self.model, inputs)
        graph, held, outputs = self.captures[key]
        with torch.no_grad():
            for mine, theirs in zip(held, inputs):
                if isinstance(mine, torch.Tensor):
                    mine.copy_(theirs)
            graph.replay()
            return tree_map_only(torch.Tensor, torch.clone, outputs)

    def _apply(self, *args, **options):  # the weights go elsewhere: graphs would read where they were
        self.captures.clear()
        return super()._apply(*args, **options)


def kind_of(x):
    if isinstance(x, torch.Tensor):
        return x.shape, x.stride(), x.dtype, x.device
    return type(x), x


def capture_call(model, inputs):
    """Returns a graph of one call, the inputs that it reads and the outputs that it writes."""
    graph = torch.cuda.CUDAGraph()
    warm = torch.cuda.Stream()
    with torch.inference_mode(False), torch.no_grad():  # later calls may come outside of both
        held = [x.clone() if isinstance(x, torch.Tensor) else x for x in inputs]
        warm.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(warm):
            for _ in range(3):  # compilers, tuners and libraries set themselves up
                model(*held)
        torch.cuda.current_stream().wait_stream(warm)
        with torch.cuda.graph(graph):
            outputs = model(*held)
    return graph, held, outputs


def rewrite(model):
    return Graphed(model)
