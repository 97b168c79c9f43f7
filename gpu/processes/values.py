"""Values: how inputs, constructor arguments and outputs travel between processes.

The format is in docs/evaluation_protocol.md. A value is a tensor, a scalar, or any nesting of lists,
tuples and dicts of them.
"""

from __future__ import annotations

import fcntl
import json
import math
import mmap
import os
import struct
from collections.abc import Callable
from typing import Any

import lathe_native
import torch

MAGIC = b"LVAL"
VERSION = 1
PREFIX = struct.Struct("<4sIQ")  # magic, version, length of the header [bytes]
ALIGNMENT = 64

DTYPES: dict[str, torch.dtype] = {
    name: getattr(torch, name)
    for name in (
        "float64 float32 float16 bfloat16 int64 int32 int16 int8 uint8 bool complex64 complex128"
    ).split()
}
DTYPE_NAMES = {dtype: name for name, dtype in DTYPES.items()}


class ValueTooLarge(Exception):
    """The file that the value was to be written to is too small for it."""


# -- layout ----------------------------------------------------------------------------


def flatten(value: Any, tensors: list[torch.Tensor]) -> Any:
    """Returns the JSON tree of `value` and appends its tensors, in order, to `tensors`."""
    if isinstance(value, torch.Tensor):
        if value.dtype not in DTYPE_NAMES:
            raise TypeError(f"a tensor of type {value.dtype} cannot travel between processes")
        if value.layout != torch.strided:
            raise TypeError(f"a tensor of layout {value.layout} cannot travel between processes")
        tensors.append(value.detach().resolve_conj().resolve_neg().contiguous())
        return {"t": len(tensors) - 1}
    if value is None or isinstance(value, (bool, int, str)):
        return {"v": value}
    if isinstance(value, float):
        return {"f": repr(float(value))}
    if isinstance(value, list):
        return {"list": [flatten(item, tensors) for item in value]}
    if isinstance(value, tuple):
        return {"tuple": [flatten(item, tensors) for item in value]}
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise TypeError("a dict travels between processes only if its keys are strings")
        return {"dict": [[key, flatten(item, tensors)] for key, item in value.items()]}
    raise TypeError(f"a value of type {type(value).__name__} cannot travel between processes")


def unflatten(tree: Any, tensors: list[torch.Tensor]) -> Any:
    """The inverse of `flatten`."""
    (kind, content), = tree.items()
    if kind == "t":
        return tensors[content]
    if kind == "v":
        return content
    if kind == "f":
        return float(content)
    if kind == "list":
        return [unflatten(item, tensors) for item in content]
    if kind == "tuple":
        return tuple(unflatten(item, tensors) for item in content)
    if kind == "dict":
        return {key: unflatten(item, tensors) for key, item in content}
    raise ValueError(f"unknown kind of value '{kind}'")


def aligned(offset: int) -> int:
    return -(-offset // ALIGNMENT) * ALIGNMENT


Layout = tuple[bytes, list[tuple[int, torch.Tensor]], int]


def lay_out(value: Any) -> Layout:
    """Returns the bytes before the tensors, each tensor with its offset, and the file's size."""
    tensors: list[torch.Tensor] = []
    tree = flatten(value, tensors)
    # Offsets are absolute, so the header's own length has to be known first: leave room for them.
    room = len(json.dumps(tree)) + sum(160 + 24 * t.dim() for t in tensors) + 64
    offset = aligned(PREFIX.size + room)
    placed = []
    records = []
    for tensor in tensors:
        size = tensor.numel() * tensor.element_size()
        records.append({"dtype": DTYPE_NAMES[tensor.dtype], "shape": list(tensor.shape),
                        "offset": offset, "bytes": size})
        placed.append((offset, tensor))
        offset = aligned(offset + size)
    header = json.dumps({"tree": tree, "tensors": records}).encode()
    return PREFIX.pack(MAGIC, VERSION, len(header)) + header, placed, offset


# -- writing ---------------------------------------------------------------------------


def write(fd: int, value: Any) -> int:
    """Writes `value` to the file, whose size is fixed and which may come again, and returns the
    bytes used."""
    layout = lay_out(value)
    room = os.fstat(fd).st_size
    if layout[2] > room:
        raise ValueTooLarge(f"the output takes {layout[2]} bytes, {room} were expected at most")
    fill(fd, layout, again=True)
    return layout[2]


def fill(fd: int, layout: Layout, again: bool = False) -> None:
    """Writes to the file; `again` says that it will be written to again, and not be sealed."""
    start, placed, _ = layout
    os.pwrite(fd, start, 0)
    for offset, tensor in placed:
        if tensor.numel():
            put(fd, offset, tensor, again)


LARGE = 4 << 20  # [bytes] what the driver's own way to the device and back is too slow for


def put(fd: int, offset: int, source: torch.Tensor, again: bool) -> None:
    """Writes a contiguous tensor."""
    size = source.numel() * source.element_size()
    if source.device.type == "cuda" and size > LARGE:
        lathe_native.copy_to_file(source.data_ptr(), fd, offset, size, again)
    else:
        # A mapping would have the kernel fill all pages with zeros first, one fault after another.
        host = source.cpu()
        lathe_native.write_memory(fd, offset, host.data_ptr(), size)


def make_file(value: Any) -> tuple[int, int]:
    """Returns a new sealed memory file that holds `value`, and its size."""
    layout = lay_out(value)
    fd = memory_file(layout[2])
    fill(fd, layout)
    seal(fd)
    return fd, layout[2]


def sealed_file(content: bytes) -> int:
    """Returns a new sealed memory file that holds `content`."""
    fd = memory_file(0)
    with open(fd, "wb", closefd=False) as file:
        file.write(content)
    seal(fd)
    return fd


def memory_file(size: int) -> int:
    fd = os.memfd_create("value", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, size)
    return fd


def seal(fd: int) -> None:
    seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)


# -- reading ---------------------------------------------------------------------------


Place = Callable[[list[int], torch.dtype], torch.Tensor]  # makes one to be filled


def read_tensor(fd: int, memory: mmap.mmap, record: dict[str, Any], place: Place) -> torch.Tensor:
    dtype = DTYPES[record["dtype"]]
    shape: list[int] = record["shape"]
    count = math.prod(shape)
    if min(shape, default=0) < 0 or count * dtype.itemsize != record["bytes"]:
        raise ValueError("a tensor's shape and size do not agree")
    target = place(shape, dtype)
    if target.device.type == "cuda" and record["bytes"] > LARGE:
        lathe_native.copy_to_device(fd, record["offset"], record["bytes"], target.data_ptr())
    elif count > 0:
        # As bytes: of a truth value torch copies whether it is one, and it may be locked.
        flat = torch.frombuffer(memory, dtype=torch.uint8, count=record["bytes"],
                                offset=record["offset"])
        target.view(-1).view(torch.uint8).copy_(flat)
    return target


def in_host_memory(shape: list[int], dtype: torch.dtype) -> torch.Tensor:
    return torch.empty(shape, dtype=dtype)


def read(fd: int, place: Place = in_host_memory) -> Any:
    """Returns the value in the file, in the tensors that `place` makes."""
    with mmap.mmap(fd, 0, access=mmap.ACCESS_COPY) as memory:
        magic, version, length = PREFIX.unpack_from(memory)
        if magic != MAGIC or version != VERSION:
            raise ValueError("this is not a file of values, or one of another version")
        header = json.loads(memory[PREFIX.size : PREFIX.size + length])
        tensors = [read_tensor(fd, memory, record, place) for record in header["tensors"]]
        return unflatten(header["tree"], tensors)


# -- whole values ----------------------------------------------------------------------


def copied(value: Any, place: Place) -> Any:
    """Returns what a process reads that `value` was sent to, without the way through a file."""
    tensors: list[torch.Tensor] = []
    tree = json.loads(json.dumps(flatten(value, tensors)))
    return unflatten(tree, [place(list(x.shape), x.dtype).copy_(x) for x in tensors])


def locked(value: Any, key: str) -> Any:
    """Returns a copy whose tensors are locked. See input_lock.hpp."""
    def copy(tensor: torch.Tensor) -> torch.Tensor:
        plain = tensor.detach().resolve_conj().resolve_neg()
        return plain.clone(memory_format=torch.contiguous_format)

    result = map_tensors(value, copy)
    toggle_lock(result, key)
    return result


def toggle_lock(value: Any, key: str) -> None:
    """Locks tensors that have their memory for themselves, or opens them, in place."""
    full = [tensor for tensor in tensors_of(value) if tensor.numel()]
    for number, tensor in enumerate(full):
        lathe_native.toggle_lock(tensor.data_ptr(), tensor.numel() * tensor.element_size(), key,
                                 number, tensor.device.type == "cuda")


def widened(value: Any) -> Any:
    """Returns a copy in float64, or complex128; other tensors keep their types."""
    def widen(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.is_complex():
            return tensor.to(torch.complex128, copy=True)
        return tensor.to(torch.float64, copy=True) if tensor.is_floating_point() else tensor.clone()

    return map_tensors(value, widen)


def difference(exact: Any, rounded: Any) -> Any:
    """Returns, in the form of `rounded`, what has to be added to it for `exact`: in bfloat16, or
    complex64, and zero where its elements are whole numbers or truth values. What `rounded` is off
    by need not be known to more than two digits."""
    minuends: list[torch.Tensor] = []
    subtrahends: list[torch.Tensor] = []
    flatten(exact, minuends)
    tree = flatten(rounded, subtrahends)
    if [x.shape for x in minuends] != [x.shape for x in subtrahends]:
        raise ValueError("the float64 run's output has another form than the float32 run's")
    return unflatten(tree, [distance(a, b) for a, b in zip(minuends, subtrahends)])


PIECE = 1 << 20  # [elements] that a processor's cache holds


def distance(exact: torch.Tensor, rounded: torch.Tensor) -> torch.Tensor:
    if not (rounded.is_floating_point() or rounded.is_complex()):
        return torch.zeros_like(rounded)
    narrow = torch.complex64 if rounded.is_complex() else torch.bfloat16
    result = torch.empty_like(rounded, dtype=narrow)
    pieces = (x.reshape(-1).split(PIECE) for x in (exact, rounded, result))
    for left, right, target in zip(*pieces, strict=True):
        torch.sub(left, right, out=target)
    return result


def map_tensors(value: Any, function: Any) -> Any:
    """Returns `value` with each tensor replaced by what `function` makes of it."""
    if isinstance(value, torch.Tensor):
        return function(value)
    if isinstance(value, (list, tuple)):
        return type(value)(map_tensors(item, function) for item in value)
    if isinstance(value, dict):
        return {key: map_tensors(item, function) for key, item in value.items()}
    return value


def tensors_of(value: Any) -> list[torch.Tensor]:
    found: list[torch.Tensor] = []
    map_tensors(value, lambda tensor: found.append(tensor))
    return found


def same_bytes(left: torch.Tensor, right: torch.Tensor) -> bool:
    """Whether two tensors hold the same bits; NaN equals itself here."""
    if left.shape != right.shape or left.dtype != right.dtype:
        return False
    as_bytes = [t.contiguous().reshape(-1).view(torch.uint8) for t in (left, right)]
    return torch.equal(*as_bytes)
