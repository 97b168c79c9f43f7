"""Folds batch norm into the convolution or linear layer before it.

Declined in training, where batch norm uses the batch's own statistics, and when no layer's only
use is by a batch norm right after it that fits: over the same dimension, without groups of a
transposed convolution.
"""

import copy

import torch
from recipes import outputs_differ
from torch import fx
from torch.nn.utils import fusion

PRECISION = "fp32"


def applies(model, inputs, mode):
    if mode == "train":
        return "batch norm uses the batch's statistics in training"
    if not any(isinstance(x, torch.nn.modules.batchnorm._BatchNorm) for x in model.modules()):
        return "no batch norm"
    if not norm_pairs(model):
        return "no batch norm comes right after a convolution or linear layer"
    if reason := why_none(model, inputs):
        return f"no batch norm can be folded: {reason}"
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        expected = model(*inputs)
        if outputs_differ(rewrite(model)(*inputs), expected):
            return "the folded model gives other outputs"
    return ""


def why_none(model, inputs):
    """Returns why one call would use no pair that can be folded, or ""."""
    found, dims = [pair_modules(x) for x in norm_pairs(model)], {}
    hooks = [norm.register_forward_pre_hook(lambda norm, args: dims.update({norm: args[0].dim()}))
             for _, norm in found]
    model(*inputs)
    for hook in hooks:
        hook.remove()
    called = [x for x in found if x[1] in dims]
    reasons = [misfit(*x) or ("" if dims[x[1]] == expected_dims(x[0]) else OTHER_DIMENSION)
               for x in called]
    return "" if "" in reasons else next(iter(reasons), "none is called")


LAYERS = (
    torch.nn.Conv1d,
    torch.nn.Conv2d,
    torch.nn.Conv3d,
    torch.nn.ConvTranspose1d,
    torch.nn.ConvTranspose2d,
    torch.nn.ConvTranspose3d,
    torch.nn.Linear,
)
# Norms, and how many dimensions their inputs may have.
NORMS = {torch.nn.BatchNorm1d: (2, 3), torch.nn.BatchNorm2d: (4,), torch.nn.BatchNorm3d: (5,)}


class OneLevel(fx.Tracer):
    """Traces a module's own forward and takes every module that it calls as it is."""

    def is_leaf_module(self, module, name):
        return True


def norm_pairs(model):
    """Returns (parent, layer's name, norm's name) where a norm is a layer's only use."""
    modules = [x for _, x in model.named_modules(remove_duplicate=False)]
    found = []
    for parent in model.modules():
        if not any(isinstance(x, tuple(NORMS)) for x in parent.children()):
            continue
        try:
            nodes = OneLevel().trace(parent).nodes
        except Exception:  # its forward does what fx cannot follow
            continue
        # Calls, and reads of a module's own weights.
        used = [x.target for x in nodes if x.op == "call_module"]
        used += [x.target.rpartition(".")[0] for x in nodes if x.op == "get_attr"]
        for node in nodes:
            before = node.args[0] if node.op == "call_module" and node.args else None
            if getattr(before, "op", "") != "call_module" or len(before.users) > 1:
                continue
            names = (before.target, node.target)
            pair = [parent.get_submodule(x) for x in names]
            once = [used.count(x) for x in names] + [modules.count(x) for x in pair] == [1, 1, 1, 1]
            if once and known_pair(*pair):
                found.append((parent, *names))
    return found


def known_pair(layer, norm):
    hooks = [x for m in (layer, norm) for x in (*m._forward_hooks, *m._forward_pre_hooks)]
    ours = type(layer) in LAYERS and type(norm) in NORMS
    return ours and not hooks and norm.running_mean is not None


def foldable(model):
    """Returns those pairs that can be folded, for inputs of some dimensions at least."""
    return [x for x in norm_pairs(model) if not misfit(*pair_modules(x))]


def pair_modules(pair):
    parent, *names = pair
    return [parent.get_submodule(x) for x in names]


OTHER_DIMENSION = "batch norm is over another dimension than the layer's features"


def misfit(layer, norm):
    """Returns why a norm does not go into the layer before it, or ""."""
    linear = isinstance(layer, torch.nn.Linear)
    if not linear and layer.transposed and layer.groups > 1:
        return "a transposed convolution has groups"
    features = layer.out_features if linear else layer.out_channels
    if features != norm.num_features or expected_dims(layer) not in NORMS[type(norm)]:
        return OTHER_DIMENSION
    return ""


def expected_dims(layer):
    """Returns how many dimensions a layer's output has if its features are the second."""
    return 2 if isinstance(layer, torch.nn.Linear) else 2 + len(layer.kernel_size)


def folded(layer, norm):
    # In float64, so that each weight is rounded only once.
    layer, norm = copy.deepcopy(layer).double().eval(), copy.deepcopy(norm).double().eval()
    if norm.weight is None:  # which torch takes for a convolution alone
        norm.weight = torch.nn.Parameter(torch.ones_like(norm.running_var))
        norm.bias = torch.nn.Parameter(torch.zeros_like(norm.running_mean))
    if isinstance(layer, torch.nn.Linear):
        return fusion.fuse_linear_bn_eval(layer, norm)
    return fusion.fuse_conv_bn_eval(layer, norm, transpose=layer.transposed)


class FoldedOrNot(torch.nn.Module):
    """A layer with the norm in it, and both as they were: BatchNorm1d takes inputs of two and of
    three dimensions, and its second one is the layer's features only in inputs of so many."""

    def __init__(self, layer, norm, dims):
        super().__init__()
        self.folded = folded(layer, norm).to(layer.weight.dtype)
        self.layer = layer
        self.norm = norm
        self.dims = dims

    def forward(self, x):
        return self.folded(x) if x.dim() == self.dims else self.norm(self.layer(x))


def rewrite(model):
    for pair in foldable(model):
        parent, layer_name, norm_name = pair
        layer, norm = pair_modules(pair)
        if isinstance(norm, torch.nn.BatchNorm1d):
            one = FoldedOrNot(layer, norm, expected_dims(layer))
        else:
            one = folded(layer, norm).to(layer.weight.dtype)
        parent.set_submodule(layer_name, one)
        parent.set_submodule(norm_name, torch.nn.Identity())
    return model
