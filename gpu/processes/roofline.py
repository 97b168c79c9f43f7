"""What a task asks of its device, counted from the reference; and what the device can do at best.

`gpu/roofline.hpp` says what is made of these numbers.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry, sdpa_flop

Inputs = list[Any]
Model = Callable[[Inputs], Any]

aten = torch.ops.aten

# Operators that read of their first argument only what they give.
LOOKUPS = {aten.embedding, aten._embedding_bag, aten._embedding_bag_forward_only, aten.index,
           aten.index_select, aten.gather}
NARROW = {torch.float16, torch.bfloat16}

PROBES = 16
PROBE_SECONDS = 1.0  # for all of them together, or there are none
PROBED_BYTES = 1 << 20  # smaller tensors do not matter
NOISE = 1e-11  # of the largest value: what rounding may change in a float64 call
BUCKETS = 26  # [bits]
CPU_PART = 4 << 20  # [bytes]
SAMPLED_ROWS = 64
SAMPLED_COLUMNS = 256
LEAST_SINGULAR = 1e-2  # of the largest singular value


def tensors_in(value: Any) -> list[torch.Tensor]:
    return [leaf for leaf in tree_leaves(value) if isinstance(leaf, torch.Tensor)]


def held_by(model: Any) -> list[torch.Tensor]:
    if not isinstance(model, torch.nn.Module):
        return []
    return [*model.parameters(), *model.buffers()]


# -- counting --------------------------------------------------------------------------


class Traffic(TorchDispatchMode):
    """Notes the operators of a call: what they compute, by the formulas of torch's FlopCounterMode,
    how much they read of given tensors, and the types that they make.

    FlopCounterMode itself imports torch's compiler, which takes longer than all else that is done
    for a task.
    """

    formulas = {**flop_registry, aten._scaled_dot_product_flash_attention_for_cpu: sdpa_flop}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # torch would import its compiler to keep it from looking in here

    def __init__(self, tensors: Iterable[torch.Tensor]) -> None:
        super().__init__()
        self.operations = 0
        self.seen: set[torch.dtype] = set()
        # By storage: the parts that were read, and how large each is [bytes].
        self.parts: dict[int, dict[Any, int]] = {storage_of(x): {} for x in tensors}

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (),
                           kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        formula = self.formulas.get(function.overloadpacket)
        if formula is None:
            with self:
                made = function.decompose(*args, **kwargs)
            if made is not NotImplemented:
                return made
        made = function(*args, **kwargs)
        if formula is not None:
            with contextlib.suppress(AssertionError, ValueError):  # shapes that it does not foresee
                self.operations += formula(*args, **kwargs, out_val=made)
        if not function.is_view:
            self.note(function, tensors_in([args, kwargs]), tensors_in(made))
        return made

    def note(self, function: Any, given: list[torch.Tensor], made: list[torch.Tensor]) -> None:
        self.seen.update(x.dtype for x in made)
        for place, tensor in enumerate(given):
            parts = self.parts.get(storage_of(tensor))
            if parts is None:
                continue
            size = nbytes(tensor)
            if place == 0 and function.overloadpacket in LOOKUPS:
                size = min(size, sum(nbytes(x) for x in made))
            parts[tensor.storage_offset(), tensor.shape, tensor.stride()] = size

    def read_of(self, tensors: Iterable[torch.Tensor]) -> int:
        sizes = {storage_of(x): x.untyped_storage().nbytes() for x in tensors}
        return sum(min(size, sum(self.parts[x].values())) for x, size in sizes.items())


def storage_of(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage().data_ptr() if tensor.layout == torch.strided else 0


def nbytes(tensor: torch.Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def count(model: Any, arguments: Inputs) -> dict[str, Any]:
    """Counts what one call reads of its inputs and of what the model holds, writes and computes."""
    given = tensors_in(arguments)
    held = held_by(model)
    fast_path = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # one operator that no formula counts
    try:
        with torch.no_grad(), Traffic([*given, *held]) as traffic:
            output = model(*arguments)
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_path)
    # Outputs that are views of what was there before are not written.
    made = {storage_of(x): min(nbytes(x), x.untyped_storage().nbytes())
            for x in tensors_in(output) if storage_of(x) not in traffic.parts}
    return {"operations": int(traffic.operations),
            "input_bytes": traffic.read_of(given), "parameter_bytes": traffic.read_of(held),
            "output_bytes": sum(made.values()), "narrow": not NARROW.isdisjoint(traffic.seen)}


# -- what no call can do without -------------------------------------------------------


def needs(model: Any, run: Model, run_exact: Model, first: Inputs, second: Inputs) -> dict[str, int]:
    """Returns how much of its inputs every right call has to read, and of outputs to write [bytes].

    `run` calls the model, `run_exact` its float64 twin, both with copies of what they are given.
    """
    return {"read": must_read(run_exact, first, second),
            "written": must_write(model, run, first, second)}


def must_read(run_exact: Model, first: Inputs, second: Inputs) -> int:
    pairs = [(x, y) for x, y in zip(tensors_in(first), tensors_in(second)) if counts(x, y)]
    if not pairs:
        return 0
    begin = time.perf_counter()
    expected = run_exact(first)
    if not alike(expected, run_exact(first)):
        return 0
    each = (time.perf_counter() - begin) / 2
    if each * PROBES * len(pairs) > PROBE_SECONDS:
        return 0
    return different_values([x[x != y] for x, y in pairs if is_unstructured(x)
                             and decides(x, run_exact, first, expected)])


def must_write(model: Any, run: Model, first: Inputs, second: Inputs) -> int:
    before, after = tensors_in(run(first)), tensors_in(run(second))
    if len(before) != len(after):
        return 0
    pairs = [(x, y) for x, y in zip(before, after) if counts(x, y)]
    written = [x[x != y] for x, y in pairs if is_unstructured(x)]
    return different_values(written, [*tensors_in(first), *held_by(model)])


def counts(first: torch.Tensor, second: torch.Tensor) -> bool:
    """Half types, integers and bools hold too few values to tell anything by them."""
    return (first.dtype == second.dtype == torch.float32 and first.shape == second.shape
            and nbytes(first) >= PROBED_BYTES)


def decides(tensor: torch.Tensor, run_exact: Model, inputs: Inputs, expected: Any) -> bool:
    """Whether elements drawn at random, given the value of another one, change the answer."""
    flat = tensor.view(-1)
    for _ in range(PROBES):
        place, other = (int(x) for x in torch.randint(flat.numel(), (2,)))
        value = flat[place].clone()
        if value == flat[other]:
            return False
        flat[place] = flat[other]
        found = run_exact(inputs)
        flat[place] = value
        if alike(expected, found):
            return False
    return True


def alike(left: Any, right: Any) -> bool:
    """Whether two float64 answers are the same but for rounding."""
    for x, y in zip(tensors_in(left), tensors_in(right), strict=True):
        if x.shape != y.shape:
            return False
        if not x.is_floating_point():
            if not torch.equal(x, y):
                return False
        elif x.numel() and not bool((x - y).abs().max() <= NOISE * x.abs().max()):
            return False
    return True


def different_values(tensors: list[torch.Tensor], known: Iterable[torch.Tensor] = ()) -> int:
    """Returns the bytes that the different values of float32 tensors take, counting no value that
    is among `known`. Values are told apart by a hash, so it may be less, and never more."""
    if not tensors:
        return 0
    found = buckets(tensors, tensors[0].device)
    found &= ~buckets([x for x in known if x.dtype == torch.float32], tensors[0].device)
    return int(found.sum()) * 4


def buckets(tensors: Iterable[torch.Tensor], device: torch.device) -> torch.Tensor:
    result = torch.zeros(1 << BUCKETS, dtype=torch.bool, device=device)
    for tensor in tensors:
        for part in tensor.detach().reshape(-1).split(1 << 24):
            bits = part.view(torch.int32).to(torch.int64)
            # Knuth's multiplicative hash: odd, and near 2^32 over the golden ratio.
            result[(bits * 2654435769 & 0xFFFFFFFF) >> (32 - BUCKETS)] = True
    return result


def is_unstructured(tensor: torch.Tensor) -> bool:
    """Whether no part of a tensor follows from another by sums and multiples."""
    if tensor.dim() < 2:
        shapes = [(SAMPLED_ROWS, -1)]
        tensor = tensor.reshape(-1)
        tensor = tensor[: tensor.numel() // SAMPLED_ROWS * SAMPLED_ROWS]
    else:
        shapes = [(-1, tensor.shape[-1]), (tensor.shape[0], -1)]
    return all(has_full_rank(tensor.reshape(shape)) for shape in shapes)


def has_full_rank(matrix: torch.Tensor) -> bool:
    rows = torch.randperm(matrix.shape[0], device=matrix.device)[:SAMPLED_ROWS]
    columns = torch.randperm(matrix.shape[1], device=matrix.device)[:SAMPLED_COLUMNS]
    sample = matrix[rows][:, columns].to("cpu", torch.float64)
    if not bool(sample.isfinite().all()):
        return False
    found = torch.linalg.svdvals(sample)
    return bool(found[-1] > LEAST_SINGULAR * found[0])


# -- peaks -----------------------------------------------------------------------------


def best(action: Callable[[], Any], settle: Callable[[], None], seconds: float,
         repeats: int = 1) -> float:
    """Returns the least time that a call took [seconds], of all that fit."""
    action()
    settle()
    least = math.inf
    end = time.perf_counter() + seconds
    while True:
        begin = time.perf_counter()
        for _ in range(repeats):
            action()
        settle()
        now = time.perf_counter()
        least = min(least, (now - begin) / repeats)
        if now > end:
            return least


class Cycle:
    """The parts of a large buffer in turn: each is out of the cache when its turn comes again."""

    def __init__(self, size: int, part: int, place: Any) -> None:
        self.parts = torch.ones(size // 4, device=place).split(part // 4)
        self.turn = 0

    def next(self) -> torch.Tensor:
        self.turn = (self.turn + 1) % len(self.parts)
        return self.parts[self.turn]


def copy_rate(size: int, part: int, place: Any, settle: Callable[[], None], seconds: float) -> int:
    """Returns bytes read plus written a second, copying a buffer part by part to another one."""
    source, target = (Cycle(size, part, place) for _ in range(2))
    repeats = 4 if torch.device(place).type == "cuda" else 1
    taken = best(lambda: target.next().copy_(source.next()), settle, seconds, repeats)
    return int(2 * part / taken)


def read_rate(size: int, part: int, place: Any, settle: Callable[[], None], seconds: float) -> int:
    source = Cycle(size, part, place)
    repeats = 4 if torch.device(place).type == "cuda" else 1
    return int(part / best(lambda: source.next().sum(), settle, seconds, repeats))


def product_rate(size: int, dtype: torch.dtype, place: Any, settle: Callable[[], None],
                 seconds: float) -> int:
    """Returns operations a second in a product of square matrices."""
    left, right = (torch.randn(size, size, device=place).to(dtype) for _ in range(2))
    out = torch.empty_like(left)
    return int(2 * size**3 / best(lambda: torch.mm(left, right, out=out), settle, seconds))


def peaks(place: Any, settle: Callable[[], None], cache: int, memory: int) -> dict[str, int]:
    """Measures a device whose last cache has `cache` bytes, in about a second.

    The CPU is measured in pieces of a few milliseconds: some of them escape what else the host does.
    """
    cuda = torch.device(place).type == "cuda"
    large = max(4 * cache, 256 << 20) if cuda else aligned(max(4 * cache, 64 << 20))
    part = large if cuda else CPU_PART
    near = max(cache // 4, 1 << 16)
    size = 384 if not cuda else 8192 if memory > 16 << 30 else 4096
    with torch.no_grad():
        torch.set_float32_matmul_precision("highest")
        result = {"bandwidth": copy_rate(large, part, place, settle, 0.2),
                  "reading": read_rate(large, part, place, settle, 0.2),
                  "cached": copy_rate(near, min(near, part), place, settle, 0.1),
                  "float32": product_rate(size, torch.float32, place, settle, 0.2)}
        half = [product_rate(size, torch.bfloat16, place, settle, 0.1)]
        if cuda:
            half.append(product_rate(size, torch.float16, place, settle, 0.1))
            torch.set_float32_matmul_precision("high")
        result["tf32"] = (product_rate(size, torch.float32, place, settle, 0.1) if cuda
                          else result["float32"])
        # What a processor cannot do in half types it does in float32.
        result["half"] = max([*half, *([] if cuda else [result["float32"]])])
    return result


def aligned(size: int) -> int:
    return -(-size // CPU_PART) * CPU_PART
