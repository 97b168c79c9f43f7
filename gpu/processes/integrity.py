"""What has to stay as it is while foreign code shares this process; `lathe_native` looks.

`seal` is called before foreign code comes. A broken rule ends the process with a refusal that names
the rule: docs/verdicts.md lists them.
"""

from __future__ import annotations

import builtins
import fcntl
import gc
import importlib.util
import json
import json.decoder
import json.encoder
import math
import mmap
import os
import socket
import struct
import sys
import time
import traceback
from types import CodeType, FunctionType, ModuleType
from typing import Any

import lathe_native
import torch

from failures import HERE

LIBRARIES = (builtins, fcntl, importlib.util, json, json.decoder, json.encoder, lathe_native, math,
             mmap, os, socket, struct, time, traceback)

# What this process, or whoever else measures, asks of torch.
TORCH = {
    torch: "equal empty frombuffer get_default_dtype get_num_threads no_grad "
           "set_default_dtype allclose is_grad_enabled compile",
    torch.Tensor: "clone contiguous copy_ cpu data_ptr detach dim element_size fill_ is_complex "
                  "is_cpu is_cuda is_floating_point new_empty numel reshape resolve_conj "
                  "resolve_neg shape dtype device layout to tolist view split __eq__ __getitem__ "
                  "__setitem__",
    torch.cuda: "Event Stream current_stream synchronize stream empty_cache memory_allocated",
    torch.cuda.Event: "elapsed_time query record synchronize wait",
    torch.cuda.Stream: "query record_event synchronize wait_event wait_stream",
    torch.nn.Module: "__call__ train eval parameters",
}

COPYING = ("aten::clone", "aten::copy_", "aten::empty.memory_format")
OPERATORS = (*COPYING, "aten::equal", "aten::contiguous", "aten::detach", "aten::_to_copy",
             "aten::view")

MODES = (torch._C._len_torch_function_stack, torch._C._len_torch_dispatch_stack)

State = dict[str, Any]

settled: State = {}  # what must not change from call to call
promised: State = {}  # what must not change at all


def seal(source: str, enforce: bool) -> None:
    """Fixes what this process relies on. `source` is the foreign file."""
    own = own_modules()
    for module in own:
        vars(module).setdefault("__warningregistry__", {})  # of what foreign code is warned
    whole = [(module.__name__, vars(module)) for module in own]
    whole += [(f"{module.__name__}.{name}", table) for module in own
              for name, table in vars(module).items()
              if isinstance(table, dict) and name.isupper()]
    classes = {value for module in own for value in vars(module).values()
               if isinstance(value, type) and value.__module__ == module.__name__}
    parts = [(kind.__name__, kind, name) for kind in classes for name in vars(kind)]
    parts += [(library.__name__, vars(library), name) for library in LIBRARIES
              for name in vars(library)]
    parts += [part for holder, names in TORCH.items() for part in named(holder, names)]
    describe = torch._C._dispatch_dump
    base = torch._C.TensorBase
    places = (base.is_cpu.__get__, base.is_cuda.__get__)
    kernels = tuple((name, describe(name)) for name in OPERATORS)
    memory = (base.data_ptr, base.numel, base.element_size)
    functions = (torch.Tensor, torch.nn.Parameter, places, base.clone, memory, describe, kernels,
                 kernels[:len(COPYING)], MODES)
    promised.update(promises())
    settled.update(settings())
    callers = [*own, sys.modules["__main__"]]
    code = [(vars(module), code) for module in callers for code in code_of(module)]
    lathe_native.watch(source, enforce, code, whole, parts, functions)
    if enforce:
        for module in (lathe_native, *own):  # foreign code gets no hold of them by their names
            sys.modules.pop(module.__name__, None)


def own_modules() -> list[ModuleType]:
    """Returns the modules in this folder that are there so far, but for the script itself."""
    return [module for name, module in sys.modules.items() if name != "__main__"
            and os.path.dirname(getattr(module, "__file__", None) or "") == HERE
            and module is not lathe_native]


def code_of(module: ModuleType) -> list[CodeType]:
    """Returns the code of every function in `module`, and of those within them."""
    found = [value for owner in (module, *vars(module).values())
             if owner is module or isinstance(owner, type) and owner.__module__ == module.__name__
             for value in vars(owner).values()]
    codes = [value.__code__ for value in found if isinstance(value, FunctionType)]
    for code in codes:
        codes += [part for part in code.co_consts if isinstance(part, CodeType)]
    return codes


def named(holder: Any, names: str) -> list[tuple[str, Any, str]]:
    where = holder if isinstance(holder, type) else vars(holder)
    path = [holder.__module__] if isinstance(holder, type) else []
    label = ".".join([*path, holder.__name__])
    return [(label, where, name) for name in names.split() if hasattr(holder, name)]


def settle() -> None:
    """Foreign code has made its choices; they hold from here on."""
    look_at_promises()
    settled.clear()
    settled.update(settings())


def look_at_flags() -> None:
    """Foreign code has been called, and must have left everything as it was."""
    look_at_promises()
    compare("a call changed", settled, settings())


def look_at_promises() -> None:
    compare("it changed", promised, promises())


def compare(what: str, before: State, now: State) -> None:
    for name in before:
        if before[name] != now[name]:
            lathe_native.refuse("global-state", f"{what} {name} from {before[name]!s:.80} to "
                                f"{now[name]!s:.80}")


def promises() -> State:
    """What would change the meaning of calls, or take more of the machine than was given."""
    return {
        "torch.get_default_dtype()": torch.get_default_dtype(),
        "torch.get_default_device()": torch.get_default_device(),
        "torch.get_num_threads()": torch.get_num_threads(),
        "torch.is_grad_enabled()": torch.is_grad_enabled(),
        "torch.is_inference_mode_enabled()": torch.is_inference_mode_enabled(),
        "torch.cuda.current_stream()": current_stream(),
        "torch.is_autocast_enabled('cpu')": torch.is_autocast_enabled("cpu"),
        "torch.is_autocast_enabled('cuda')": torch.is_autocast_enabled("cuda"),
    }


def current_stream() -> int:
    """The stream that work of this thread goes to; 0 is the default one."""
    ready = torch.cuda.is_initialized()
    return torch.cuda.current_stream().cuda_stream if ready else 0


def settings() -> State:
    """What a candidate may choose once, when it is imported, constructed or called first."""
    backends = torch.backends
    return {
        "torch.get_float32_matmul_precision()": torch.get_float32_matmul_precision(),
        "torch.are_deterministic_algorithms_enabled()":
            torch.are_deterministic_algorithms_enabled(),
        "torch.backends.cudnn.enabled": backends.cudnn.enabled,
        "torch.backends.cudnn.benchmark": backends.cudnn.benchmark,
        "torch.backends.cudnn.deterministic": backends.cudnn.deterministic,
        "torch.backends.mkldnn.enabled": torch._C._get_mkldnn_enabled(),
        "the environment": dict(os.environ),
        "gc.callbacks": list(gc.callbacks),
    }
