"""Makes Triton's autotuner compile its configurations side by side.

Triton compiles a configuration when it is about to time it: most of tuning is one core at work while
the device waits. What is compiled ahead is what would have been compiled, and which configuration
wins is measured as ever.
"""

from __future__ import annotations

import concurrent.futures
import os
import sys
from typing import Any

MOST_THREADS = 8  # others tune, too


def compile_side_by_side() -> None:
    """From now on, in a process that has imported a Triton which can (3.4 and later)."""
    tuners = sys.modules.get("triton.runtime.autotuner")
    modes = sys.modules.get("triton.runtime._async_compile")
    threads = min(len(os.sched_getaffinity(0)) // 2, MOST_THREADS)
    if tuners is None or modes is None or threads < 2:
        return
    choose = tuners.Autotuner.prune_configs

    def prune_configs(self: Any, kwargs: dict[str, Any]) -> list[Any]:
        """What is about to be timed, which happens once for each set of shapes."""
        chosen = choose(self, kwargs)
        # A hook may change the arguments, and with them what there is to compile.
        ahead = [x for x in chosen if x.pre_hook is None]
        if len(ahead) > 1 and modes.active_mode.get() is None:
            compile_all(self, ahead, kwargs, modes, threads)
        return chosen

    tuners.Autotuner.prune_configs = prune_configs


def compile_all(tuner: Any, configs: list[Any], kwargs: dict[str, Any], modes: Any,
                threads: int) -> None:
    """Puts the kernels where the tuner's own calls will find them. Whoever does not compile fails
    again there, and is judged by the tuner."""
    arguments = tuple(tuner.nargs.values())
    pool = concurrent.futures.ThreadPoolExecutor(threads)
    with pool, modes.AsyncCompileMode(pool, ignore_errors=True):
        for config in configs:
            try:
                tuner.fn.run(*arguments, **{**kwargs, "warmup": True}, **config.all_kwargs())
            except Exception:  # the tuner's own call tells of it
                break
