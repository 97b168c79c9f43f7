"""What one call of a model does: kernels and copies on a GPU, operators on a CPU.

It is told to whoever improves the model. It comes from a process that runs the model's code, and
decides nothing.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch

import compiled
import ptx
import ptx_access

MOST_EVENTS = 20_000
MOST_OPERATORS = 50
MOST_KERNELS = 8  # whose code is looked at
MOST_CODE = 16 << 20  # [bytes] of one file
MOST_CALLS = 3  # until one is told
WARMING = 1.0  # [seconds] after which no other call begins
LOOKING = 3.0  # [seconds] for all code
DUMPING = 5.0  # [seconds] for one library
TOOLS = "backends/nvidia/bin"  # of the package triton

# Blocks on a multiprocessor, which torch does not tell, by compute capability.
BLOCKS = {(7, 5): 16, (8, 6): 16, (8, 7): 16, (8, 9): 24, (12, 0): 24}
USUAL_BLOCKS = 32

TENSOR_CORES = {"mma", "wmma", "wgmma", "tcgen05"}
ARITHMETIC = {"fma", "add", "sub", "mul", "mad", "div", "rcp", "sqrt", "rsqrt", "ex2", "lg2", "sin",
              "cos", "tanh", "min", "max"}
FLOATS = {"f16", "f16x2", "bf16", "bf16x2", "f32", "f32x2", "f64"}


def of_device(trace: dict[str, Any]) -> dict[str, Any]:
    """Returns what the CUDA device did for a call, of which there is a trace."""
    events = trace["events"]
    complete = len([x for x in events if x["kind"] == "kernel"]) == trace["kernels"]
    return {"events": events, "complete": complete, "limits": limits()}


def of_host(model: Any, inputs: Callable[[], list[Any]]) -> dict[str, Any]:
    """Returns the operators that took longest, those with the same inputs as one. `inputs` gives
    each call its own."""
    # The first call of a small model is mostly setting up, torch's and the model's: of the times of
    # later ones the call's own time is the sum. A slow one needs no other.
    until = time.monotonic() + WARMING
    for _ in range(MOST_CALLS):
        arguments = inputs()
        # Not torch.profiler's: that one imports a compiler, for a second, to record the same.
        recording = torch.autograd.profiler.profile(record_shapes=True)
        with torch.no_grad(), recording as profiler:
            model(*arguments)
        if time.monotonic() >= until:
            break
    found = profiler.key_averages(group_by_input_shape=True)
    found = sorted(found, key=lambda x: -x.self_cpu_time_total)
    events = [{"kind": "operator", "name": f"{x.key} {shapes(x.input_shapes)}".strip(),
               "ns": int(1000 * x.self_cpu_time_total), "calls": x.count}
              for x in found[:MOST_OPERATORS]]
    return {"events": events, "complete": len(found) <= MOST_OPERATORS}


def shapes(inputs: Any) -> str:
    return " ".join("x".join(map(str, x)) for x in inputs or [] if x)


def limits() -> dict[str, int]:
    found = torch.cuda.get_device_properties(torch.cuda.current_device())
    return {"multiprocessors": found.multi_processor_count,
            "threads": found.max_threads_per_multi_processor,
            "blocks": BLOCKS.get((found.major, found.minor), USUAL_BLOCKS),
            "registers": found.regs_per_multiprocessor,
            "shared": found.shared_memory_per_multiprocessor, "warp": found.warp_size}


def slowest(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns an event of each of the kernels that took longest in all."""
    sums: dict[str, int] = {}
    longest: dict[str, dict[str, Any]] = {}
    for x in events:
        symbol = x["symbol"]
        if x["kind"] == "kernel":
            sums[symbol] = sums.get(symbol, 0) + x["ns"]
            if symbol not in longest or x["ns"] > longest[symbol]["ns"]:
                longest[symbol] = x
    return [longest[x] for x in sorted(sums, key=lambda x: -sums[x])[:MOST_KERNELS]]


# -- code --------------------------------------------------------------------------------


def code_of(events: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns by symbol what the code of the slowest kernels tells, where it was compiled here.

    Tuners compile a kernel in several ways under one symbol, and graphs have kernels of the same
    name: what could be one of several is left out."""
    wanted = {x["symbol"]: x for x in slowest(events)}
    found: dict[str, dict[str, str]] = {x: {} for x in wanted}  # kernel's text: file with its code
    until = time.monotonic() + LOOKING
    for text, binary in texts():
        for symbol in [x for x in wanted if f" {x}(" in text]:
            kernel = ptx_access.kernels(text).get(symbol, "")
            if kernel and fits(kernel, wanted[symbol]["block"]):
                found[symbol][kernel] = binary
        if time.monotonic() > until:
            return {}
    result = {}
    for symbol, kernels in found.items():
        if len(kernels) == 1:
            (kernel, binary), = kernels.items()
            if told := facts(kernel, symbol, wanted[symbol]):
                result[symbol] = {**told, "stack": stack_of(binary, symbol)}
    return result


def fits(kernel: str, block: tuple[int, int, int]) -> bool:
    """Says whether a kernel may be launched with blocks of so many threads."""
    head = kernel.partition("{")[0]
    required = re.search(r"\.reqntid\s+(\d+)", head)
    most = re.search(r"\.maxntid\s+(\d+)", head)
    return ((required is None or int(required[1]) == block[0])
            and (most is None or "," in head or int(most[1]) >= block[0]))


def texts() -> Iterator[tuple[str, str]]:
    """Yields the PTX that compilers left, and the file with the code that was made of it."""
    for variable in compiled.FOLDERS:
        for place, (_, size) in compiled.files(os.environ[variable]):
            if place.endswith(".ptx") and size <= MOST_CODE:
                with open(place, encoding="utf-8", errors="replace") as file:
                    yield file.read(), place.removesuffix("ptx") + "cubin"
            elif place.endswith(".so") and variable == "TORCH_EXTENSIONS_DIR":
                yield dumped("-ptx", place), place


def dumped(what: str, binary: str) -> str:
    """Returns what cuobjdump, CUDA's or Triton's, says of a file; nothing where there is none."""
    spec = importlib.util.find_spec("triton")
    brought = os.path.join(os.path.dirname(spec.origin), TOOLS) if spec and spec.origin else ""
    tool = shutil.which("cuobjdump") or shutil.which("cuobjdump", path=brought) or "cuobjdump"
    try:
        done = subprocess.run([tool, what, binary], capture_output=True, timeout=DUMPING)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout[:MOST_CODE].decode(errors="replace")


def stack_of(binary: str, symbol: str) -> int:
    """Returns the bytes of a thread's memory that a kernel uses for want of registers."""
    lines = iter(dumped("-res-usage", binary).splitlines())
    for line in lines:
        if line.strip() == f"Function {symbol}:":
            found = re.search(r"STACK:(\d+)", next(lines, ""))
            return int(found[1]) if found else 0
    return 0


def facts(kernel: str, symbol: str, event: dict[str, Any]) -> dict[str, Any]:
    program = ptx.read(kernel, 0, len(kernel))
    if not program.instructions:
        return {}
    found = ptx_access.accesses(kernel, symbol, event["block"], event["grid"])
    told = ptx_access.summary(found)
    accesses = sum(x.weight for x in found)
    return {
        "tensor_cores": any(x.name[0] in TENSOR_CORES for x in program.instructions),
        "arithmetic": arithmetic(program) / max(1, accesses),
        "efficiency": told["global_efficiency"],
        "conflicts": told["shared_conflicts"],
        "shared_share": told["shared_share"],
        "atomic_share": told["atomics_share"],
        "same_address": told["atomics_same"],
    }


def arithmetic(program: ptx.Program) -> int:
    """Counts operations on floats; those in loops count as accesses do."""
    flow = ptx.flow_of(program)
    result = 0
    for block, around in zip(flow.blocks, flow.around):
        weight = ptx_access.LOOP ** min(len(around), ptx_access.DEEPEST)
        result += weight * sum(x.name[0] in ARITHMETIC and x.name[-1] in FLOATS
                               for x in program.instructions[block.begin : block.end])
    return result
