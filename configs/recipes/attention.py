"""Computes attention in one kernel, without a matrix of all weights (scaled_dot_product_attention).

Found are an nn.MultiheadAttention whose weights nobody reads, and softmax(q @ k.transpose * scale)
@ v written out in a module's forward, with a mask or without. Declined in training, where neither
is there, and when the rewritten model gives other outputs.
"""

import math
import operator

import torch
from recipes import outputs_differ
from torch import fx

PRECISION = "fp32"


def applies(model, inputs, mode):
    if mode == "train":
        return "dropout works in training"
    if not any(unread_weights(x) or written_out(x)[1] for x in model.modules()):
        return "no attention that is written out, and none whose weights nobody reads"
    expected = model(*inputs)
    if outputs_differ(rewrite(model)(*inputs), expected):
        return "the rewritten model gives other outputs"
    return ""


class OutputAlone(torch.nn.Module):
    """Asks an nn.MultiheadAttention for its output and for no weights."""

    def __init__(self, attention):
        super().__init__()
        self.attention = attention

    def forward(self, *inputs, **options):
        return self.attention(*inputs, **{**options, "need_weights": False})


def rewrite(model):
    return rewritten(model)


def rewritten(module):
    for name, child in list(module.named_children()):
        setattr(module, name, rewritten(child))
    for name in unread_weights(module):
        setattr(module, name, OutputAlone(getattr(module, name)))
    graph, found = written_out(module)
    for product, parts in found:
        with graph.inserting_before(product):
            product.replace_all_uses_with(one_kernel(graph, *parts))
        erase(graph, product)
    return fx.GraphModule(module, graph).eval() if found else module


def erase(graph, node):
    """Takes out a node that nobody uses, and the scores and weights that it alone used."""
    needed = node.all_input_nodes
    graph.erase_node(node)
    for x in needed:
        if not x.users and x.op in ("call_function", "call_method", "call_module"):
            erase(graph, x)


# -- what is found in a module's forward --


class OwnForward(fx.Tracer):
    """Traces a module's own forward and takes every module that it calls as it is."""

    proxy_buffer_attributes = True

    def is_leaf_module(self, module, name):
        return True


def traced(module):
    """Returns the graph of a module's own forward, empty where fx cannot follow it, and where a
    rewritten one could differ: what works in place has effects that its users do not show, and a
    device that was asked for is the one at that moment."""
    hooks = (*module._forward_hooks, *module._forward_pre_hooks)
    if type(module).__module__.startswith("torch.") or hooks:
        return fx.Graph()
    try:
        graph = OwnForward().trace(module)
    except Exception:
        return fx.Graph()
    return fx.Graph() if any(is_in_place(x) or names_device(x) for x in graph.nodes) else graph


def is_in_place(node):
    name = getattr(node.target, "__name__", node.target)
    called = node.op in ("call_method", "call_function")
    return called and (name.endswith("_") and not name.endswith("__") or "out" in node.kwargs)


def names_device(node):
    return any(isinstance(x, torch.device) for x in (*node.args, *node.kwargs.values()))


def unread_weights(module):
    """Returns the names of children that compute attention weights which nobody reads."""
    calls = {}
    for node in traced(module).nodes:
        child = getattr(module, node.target, None) if node.op == "call_module" else None
        if type(child) is torch.nn.MultiheadAttention:
            readers = [x for x in node.users if x.users or x.op == "output"]
            output_alone = all(x.target is operator.getitem and x.args[1] == 0 for x in readers)
            plain = len(node.args) <= 4 and "need_weights" not in node.kwargs
            calls.setdefault(node.target, []).append(plain and output_alone)
    return [name for name, unread in calls.items() if all(unread)]


def written_out(module):
    """Returns a module's graph, and each product with attention weights in it with its parts:
    query, key, value, scale, and the mask's kind ("", "causal", "hidden", "added") and node."""
    graph, found = traced(module), []
    for node in list(graph.nodes):
        try:
            parts = parts_of(module, node) if is_product(node) else None
        except (IndexError, ValueError, AttributeError):  # called in a way that is not known here
            continue
        if parts is not None:
            found.append((node, parts))
    return graph, found


def parts_of(module, node):
    """Returns the parts of a product with attention weights. Of what leads to the weights, each
    node is used once: what others see as well has to be there."""
    weights, value = node.args
    scores = softmax_of(module, without_dropout(module, used_once(weights)))
    kind, mask = "", None
    if is_call(used_once(scores), "masked_fill", torch.masked_fill):
        scores, mask, lowest = scores.args
        kind = "causal" if is_causal(module, mask) else "hidden"
        # A row of which all is hidden would be another one: whether there is one, inputs decide.
        if not is_lowest(lowest) or depends_on_inputs(mask):
            return None
    elif is_call(scores, "add", operator.add, torch.add) and not scores.kwargs:
        scores, mask = scores.args
        kind = "added"
        if not isinstance(mask, fx.Node):
            return None
    scores, scale = without_scale(used_once(scores))
    key = transposed(scores.args[1]) if is_product(used_once(scores)) else None
    return None if key is None else (scores.args[0], key, value, scale, kind, mask)


def one_kernel(graph, query, key, value, scale, kind, mask):
    options = {"scale": scale}
    if kind == "causal":
        options["is_causal"] = True
    elif kind == "hidden":  # the kernel is told who is seen
        options["attn_mask"] = graph.call_function(torch.logical_not, (mask,))
    elif kind == "added":
        options["attn_mask"] = mask
    attention = torch.nn.functional.scaled_dot_product_attention
    return graph.call_function(attention, (query, key, value), options)


# -- single nodes --


def used_once(node):
    return node if isinstance(node, fx.Node) and len(node.users) == 1 else None


def is_call(node, method, *functions):
    if not isinstance(node, fx.Node):
        return False
    return (node.op, node.target) == ("call_method", method) or node.target in functions


def is_product(node):
    return is_call(node, "matmul", operator.matmul, torch.matmul, torch.bmm)


def without_dropout(module, node):
    if is_call(node, "", torch.nn.functional.dropout) and node.kwargs.get("training") is False:
        return used_once(node.args[0])
    if isinstance(node, fx.Node) and node.op == "call_module":
        if isinstance(module.get_submodule(node.target), torch.nn.Dropout):
            return used_once(node.args[0])
    return node


def softmax_of(module, node):
    """Returns what a softmax over the last dimension is taken of."""
    functional = torch.nn.functional.softmax
    if is_call(node, "softmax", torch.softmax, functional) and not node.kwargs.get("dtype"):
        dim = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else None)
    elif isinstance(node, fx.Node) and node.op == "call_module":
        child = module.get_submodule(node.target)
        dim = child.dim if type(child) is torch.nn.Softmax else None
    else:
        dim = None
    return node.args[0] if dim == -1 else None


def without_scale(node):
    """Returns what a number multiplies, and that number: of x / 8 it is 1 / 8."""
    if is_call(node, "mul", operator.mul, torch.mul):
        for x, factor in (node.args, node.args[::-1]):
            if is_number(factor):
                return x, factor
    if is_call(node, "div", operator.truediv, torch.div) and is_number(node.args[1]):
        divisor = node.args[1]
        if not isinstance(divisor, fx.Node):
            return node.args[0], 1 / divisor
        with node.graph.inserting_before(node):
            return node.args[0], node.graph.call_function(operator.truediv, (1.0, divisor))
    return node, 1.0


def is_number(x):
    """Says whether it is a number of Python's, or computed of such and of sizes alone."""
    if not isinstance(x, fx.Node):
        return isinstance(x, (int, float))
    if x.op == "call_method":
        return x.target == "size" and len(x.args) == 2
    if x.target is operator.getitem:  # of x.shape or x.size()
        sizes = x.args[0]
        return sizes.target == "size" or sizes.target is getattr and sizes.args[1] == "shape"
    known = vars(math).values() if x.op == "call_function" else ()
    arithmetic = (operator.add, operator.sub, operator.mul, operator.truediv, operator.pow)
    return (x.target in known or x.target in arithmetic) and all(map(is_number, x.args))


def depends_on_inputs(x):
    """Says whether a node is computed of inputs, and not of their sizes alone."""
    if not isinstance(x, fx.Node) or is_number(x):
        return False
    return x.op in ("placeholder", "call_module") or any(map(depends_on_inputs, x.all_input_nodes))


def is_lowest(x):
    return isinstance(x, (int, float)) and x <= -1e4


def transposed(node):
    """Returns what a node swaps the last two dimensions of."""
    if not is_call(node, "transpose", torch.transpose):
        return None
    return node.args[0] if node.args[1:] in ((-2, -1), (-1, -2), (2, 3), (3, 2)) else None


def is_causal(module, mask):
    """Says whether a mask is `triangle[..., :n, :n] == 0` with a lower triangle of the module's."""
    if not is_call(mask, "eq", operator.eq, torch.eq) or mask.args[1] != 0:
        return False
    part = mask.args[0]
    if not is_call(part, "", operator.getitem) or part.args[0].op != "get_attr":
        return False
    *_, rows, columns = part.args[1] if isinstance(part.args[1], tuple) else (None, None)
    square = isinstance(rows, slice) and rows == columns and (rows.start, rows.step) == (None, None)
    triangle = operator.attrgetter(part.args[0].target)(module)
    return square and bool(torch.equal(triangle != 0, torch.ones_like(triangle).tril() != 0))
