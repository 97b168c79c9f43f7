"""Makes Triton's autotuner compile its configurations side by side, and each at most once.

Triton compiles a configuration when it is about to time it: most of tuning is one core at work while
the device waits. And it keeps what it has compiled, but tries again, for each set of shapes, what it
could not compile. What is compiled here is what would have been compiled, and which configuration
wins is measured as ever; where it is known from an earlier process (TRITON_CACHE_AUTOTUNING), nothing
is compiled ahead.
"""

from __future__ import annotations

import concurrent.futures
import os
import sys
from typing import Any

MOST_THREADS = 8  # others tune, too


def speed_up() -> None:
    """From now on, in a process that has imported Triton."""
    tuners = sys.modules.get("triton.runtime.autotuner")
    if tuners is None:
        return
    if modes := sys.modules.get("triton.runtime._async_compile"):  # since 3.4
        compile_side_by_side(tuners, modes)
    remember_failures(sys.modules["triton.compiler"], sys.modules["triton.runtime.errors"])


def compile_side_by_side(tuners: Any, modes: Any) -> None:
    threads = min(len(os.sched_getaffinity(0)) // 2, MOST_THREADS)
    if threads < 2:
        return
    choose, measure = tuners.Autotuner.prune_configs, tuners.Autotuner._bench

    def prune_configs(self: Any, kwargs: dict[str, Any]) -> list[Any]:
        """What there is to time, once for each set of shapes, unless that was done before."""
        chosen = choose(self, kwargs)
        # A hook may change the arguments, and with them what there is to compile.
        self.ahead = [x for x in chosen if x.pre_hook is None]
        return chosen

    def bench(self: Any, *args: Any, config: Any, **meta: Any) -> Any:
        """Times one of them; the first waits for all."""
        ahead, self.ahead = getattr(self, "ahead", []), []
        if len(ahead) > 1 and modes.active_mode.get() is None:
            compile_all(self, ahead, meta, modes, threads)
        return measure(self, *args, config=config, **meta)

    tuners.Autotuner.prune_configs, tuners.Autotuner._bench = prune_configs, bench


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


def remember_failures(compiler: Any, errors: Any) -> None:
    """Of the last of the compilers, which takes seconds to find that a kernel needs too much."""
    compile_kernel = compiler.compile
    failures: dict[tuple[str, str], BaseException] = {}

    def compile_once(src: Any, target: Any = None, options: Any = None, **more: Any) -> Any:
        key = (src.hash() if hasattr(src, "hash") else str(src), str(options))
        if key in failures:
            raise failures[key]
        try:
            return compile_kernel(src, target=target, options=options, **more)
        except errors.PTXASError as error:
            failures[key] = error
            raise

    compiler.compile = compile_once
