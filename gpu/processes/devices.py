"""Where tensors live and calls are timed: the CPU, or one CUDA device."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from typing import Any

import lathe_native
import torch

import values

# Each byte of memory that nobody wrote: large numbers of any type (1.5e16 as float32), so that a
# sum that was not begun at zero, or a zero that was not written, does not pass.
POISON = 0x5A

# What a process takes of a GPU's memory before it has a tensor there, and for code that it loads.
CONTEXT = 768 << 20  # [bytes]

# Of the memory that tensors take at most, what lies unused between them beside it.
FRAGMENTS = 0.15


class Cpu:
    """The processor. Its clock is the host's."""

    name = "cpu"

    def place(self, shape: list[int], dtype: torch.dtype) -> torch.Tensor:
        """Returns a tensor to be filled."""
        return values.in_host_memory(shape, dtype)

    def as_default(self) -> Any:
        """Makes it the device of new tensors whose code does not say another, inside the context
        that it returns."""
        return torch.device(self.name)

    def adopt(self, model: Any) -> Any:
        return model

    def shift(self) -> Any:
        """Makes the next allocations come from other addresses than the last ones."""
        return None

    def call_poisoned(self, model: Any, arguments: list[Any], size: int) -> Any:
        """Calls the model with fresh memory filled with a pattern: nothing right lies in it. As in
        timed calls, the arguments are there before it: who works on streams of its own need not
        wait for them."""
        self.poison(size)
        self.settle()
        lathe_native.poison_memory(0xFF ^ POISON)  # glibc fills with the complement
        try:
            return lathe_native.model_call(model, tuple(arguments), self.name == "cuda")
        finally:
            lathe_native.poison_memory(0)

    def poison(self, size: int) -> None:
        """Fills the device's memory that is handed out next, some of it in pieces of this size."""

    def settle(self) -> None:
        """Waits for whatever was begun."""

    def trim(self) -> None:
        """Gives memory back that no tensor needs."""

    def memory(self) -> dict[str, int]:
        """How much of the device's memory [bytes] this process holds, held at most, and needed for
        what was not `unmeasured`."""
        return {"held": 0, "peak": 0, "needed": 0}

    @contextlib.contextmanager
    def unmeasured(self) -> Iterator[None]:
        yield

    def is_quiet(self, patience: int) -> bool:
        """Waits, at most so long [ns], until nobody else's work is left on the device."""
        return True

    def facts(self) -> dict[str, Any]:
        return {}


class Cuda(Cpu):
    """The one CUDA device that this process sees."""

    name = "cuda"

    def __init__(self) -> None:
        self.device = torch.device("cuda", 0)
        torch.cuda.set_device(self.device)
        torch.empty(1, device=self.device)  # makes the context
        self.peak = self.needed = 0  # [bytes] when they were last looked at

    def place(self, shape: list[int], dtype: torch.dtype) -> torch.Tensor:
        return torch.empty(shape, dtype=dtype, device=self.device)

    def adopt(self, model: Any) -> Any:
        return model.to(self.device) if isinstance(model, torch.nn.Module) else model

    def shift(self) -> Any:
        sizes = [512 * random.randint(1, 64) for _ in range(4)]
        return [torch.empty(size, dtype=torch.uint8, device=self.device) for size in sizes]

    def poison(self, size: int) -> None:
        sizes = [1 << shift for shift in range(9, 21)] + [size, size, size + (2 << 20)]
        try:
            blocks = [torch.empty(n, dtype=torch.uint8, device=self.device) for n in sizes]
        except torch.OutOfMemoryError:
            return
        for block in blocks:
            block.fill_(POISON)

    def settle(self) -> None:
        lathe_native.wait_for_device()

    def trim(self) -> None:
        torch.cuda.empty_cache()

    def memory(self) -> dict[str, int]:
        self.look_at_memory()
        return {"held": CONTEXT + torch.cuda.memory_reserved(self.device),
                "peak": CONTEXT + self.peak,
                "needed": CONTEXT + int(self.needed * (1 + FRAGMENTS))}

    def look_at_memory(self) -> None:
        self.peak = max(self.peak, torch.cuda.max_memory_reserved(self.device))
        self.needed = max(self.needed, torch.cuda.max_memory_allocated(self.device))

    @contextlib.contextmanager
    def unmeasured(self) -> Iterator[None]:
        self.look_at_memory()
        try:
            yield
        finally:
            self.peak = max(self.peak, torch.cuda.max_memory_reserved(self.device))
            torch.cuda.reset_peak_memory_stats(self.device)

    def is_quiet(self, patience: int) -> bool:
        return lathe_native.wait_until_quiet(patience)

    def facts(self) -> dict[str, Any]:
        found = torch.cuda.get_device_properties(self.device)
        if torch.ones(1000, device=self.device).sum().item() != 1000:
            raise RuntimeError("the GPU computes wrong results")
        return {"gpu": found.name, "multiprocessors": found.multi_processor_count,
                "memory": found.total_memory, "l2_bytes": found.L2_cache_size,
                "memory_free": torch.cuda.mem_get_info(self.device)[0],
                "capability": f"{found.major}.{found.minor}", "cuda": torch.version.cuda or ""}


DEVICES: dict[str, Callable[[], Cpu]] = {"cpu": Cpu, "cuda": Cuda}


def copy_of(value: Any) -> Any:
    return values.map_tensors(value, torch.clone)
