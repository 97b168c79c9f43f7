"""Folds batch norm into the convolution or linear layer before it.

Declined in training, where batch norm uses the batch's own statistics, and when no layer's only
use is by a batch norm right after it.
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
    if not foldable(model):
        return "no batch norm comes right after a convolution or linear layer"
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        expected = model(*inputs)
        if outputs_differ(rewrite(model)(*inputs), expected):
            return "the folded model gives other outputs"
    return ""


LAYERS = (
    torch.nn.Conv1d,
    torch.nn.Conv2d,
    torch.nn.Conv3d,
    torch.nn.ConvTranspose1d,
    torch.nn.ConvTranspose2d,
    torch.nn.ConvTranspose3d,
    torch.nn.Linear,
)
NORMS = (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d, torch.nn.BatchNorm3d)


class OneLevel(fx.Tracer):
    """Traces a module's own forward and takes every module that it calls as it is."""

    def is_leaf_module(self, module, name):
        return True


def foldable(model):
    """Returns (parent, layer's name, norm's name) for each pair that may be folded."""
    modules = [x for _, x in model.named_modules(remove_duplicate=False)]
    pairs = []
    for parent in model.modules():
        if not any(isinstance(x, NORMS) for x in parent.children()):
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
            if once and fits(*pair):
                pairs.append((parent, *names))
    return pairs


def fits(layer, norm):
    hooks = [x for m in (layer, norm) for x in (*m._forward_hooks, *m._forward_pre_hooks)]
    known = type(layer) in LAYERS and type(norm) in NORMS
    return known and not hooks and norm.running_mean is not None


def folded(layer, norm):
    # In float64, so that each weight is rounded only once.
    layer, norm = copy.deepcopy(layer).double().eval(), copy.deepcopy(norm).double().eval()
    if isinstance(layer, torch.nn.Linear):
        return fusion.fuse_linear_bn_eval(layer, norm)
    return fusion.fuse_conv_bn_eval(layer, norm, transpose=layer.transposed)


def rewrite(model):
    for parent, layer_name, norm_name in foldable(model):
        layer, norm = parent.get_submodule(layer_name), parent.get_submodule(norm_name)
        parent.set_submodule(layer_name, folded(layer, norm).to(layer.weight.dtype))
        parent.set_submodule(norm_name, torch.nn.Identity())
    return model
