"""Configurations of Triton's autotuner are compiled side by side and once, by a Triton that this file
plays: there is none without a GPU. tests/honest/triton_autotuned.py is tuned by the real one."""

import sys
import threading
import types
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).parents[3] / "gpu" / "processes"))

import triton_tuning  # noqa: E402

PATIENCE = 20  # [seconds]


class Config:
    def __init__(self, size: int, pre_hook: Any = None) -> None:
        self.size = size
        self.pre_hook = pre_hook

    def all_kwargs(self) -> dict[str, int]:
        return {"SIZE": self.size}


class Kernel:
    """Compiles for a size, two at a time or not at all."""

    def __init__(self, modes: Any) -> None:
        self.modes = modes
        self.compiled: set[int] = set()
        self.calls: list[tuple[Any, ...]] = []
        self.both_are_here = threading.Barrier(2)

    def run(self, *arguments: Any, grid: Any, warmup: bool, SIZE: int) -> None:
        if SIZE == 0:
            raise ValueError("an argument is missing")
        self.calls.append((arguments, grid, warmup, SIZE))
        self.modes.active_mode.get().submit(lambda: self.compile(SIZE))

    def compile(self, size: int) -> None:
        self.both_are_here.wait(PATIENCE)
        if size < 0:
            raise RuntimeError("ptxas fails")
        self.compiled.add(size)


def make_triton() -> tuple[Any, Any]:
    """Stands for triton.runtime.autotuner and triton.runtime._async_compile, as far as they are
    used."""

    class Autotuner:
        def __init__(self, fn: Kernel, *configs: Config) -> None:
            self.fn = fn
            self.configs = configs
            self.nargs = {"x": 1, "y": 2}

            self.compiled_before_timed: list[set[int]] = []

        def prune_configs(self, kwargs: dict[str, Any]) -> list[Config]:
            return list(self.configs)

        def _bench(self, *args: Any, config: Config, **meta: Any) -> float:
            self.compiled_before_timed.append(set(self.fn.compiled))
            return float(config.size)

    class AsyncCompileMode:
        def __init__(self, executor: Any, *, ignore_errors: bool) -> None:
            assert ignore_errors
            self.executor = executor
            self.futures: list[Any] = []

        def submit(self, compile_kernel: Any) -> None:
            self.futures.append(self.executor.submit(compile_kernel))

        def __enter__(self) -> None:
            modes.active_mode.set(self)

        def __exit__(self, *_: Any) -> None:
            modes.active_mode.set(None)
            for future in self.futures:
                future.exception()

    class ActiveMode:
        mode = None

        def get(self) -> Any:
            return self.mode

        def set(self, mode: Any) -> None:
            self.mode = mode

    modes = types.SimpleNamespace(AsyncCompileMode=AsyncCompileMode, active_mode=ActiveMode())
    return types.SimpleNamespace(Autotuner=Autotuner), modes


class PTXASError(Exception):
    pass


class SideBySide(unittest.TestCase):
    def setUp(self) -> None:
        self.tuners, self.modes = make_triton()
        loaded = {"triton.runtime.autotuner": self.tuners,
                  "triton.runtime._async_compile": self.modes,
                  "triton.runtime.errors": types.SimpleNamespace(PTXASError=PTXASError),
                  "triton.compiler": types.SimpleNamespace(compile=None)}
        for patch in (mock.patch.dict(sys.modules, loaded),
                      mock.patch("os.sched_getaffinity", lambda _: range(16))):
            patch.start()
            self.addCleanup(patch.stop)
        self.kernel = Kernel(self.modes)

    def tuner(self, *configs: Config) -> Any:
        triton_tuning.speed_up()
        return self.tuners.Autotuner(self.kernel, *configs)

    def choose(self, *configs: Config) -> list[Config]:
        tuner = self.tuner(*configs)
        how = {"grid": "the grid", "warmup": False}
        chosen: list[Config] = tuner.prune_configs(how)
        for config in chosen:
            self.assertEqual(tuner._bench(1, 2, config=config, **how), config.size)
        self.before = tuner.compiled_before_timed
        return chosen

    def test_all_are_there_before_the_first_is_timed(self) -> None:
        configs = [Config(32), Config(64)]
        self.assertEqual(self.choose(*configs), configs)
        self.assertEqual(self.before, [{32, 64}] * 2)

    def test_nothing_is_compiled_where_it_is_known_who_wins(self) -> None:
        self.tuner(Config(32), Config(64)).prune_configs({"grid": "the grid"})
        self.assertEqual(self.kernel.calls, [])

    def test_they_are_compiled_for_the_arguments_of_the_call_and_not_launched(self) -> None:
        self.choose(Config(32), Config(64))
        self.assertEqual(self.kernel.calls, [((1, 2), "the grid", True, size) for size in (32, 64)])

    def test_one_that_does_not_compile_is_left_to_the_tuner(self) -> None:
        self.assertEqual(len(self.choose(Config(-1), Config(64))), 2)
        self.assertEqual(self.kernel.compiled, {64})

    def test_a_call_that_is_wrong_is_left_to_the_tuner(self) -> None:
        self.assertEqual(len(self.choose(Config(0), Config(64))), 2)
        self.assertEqual(self.kernel.compiled, set())

    def test_what_a_hook_may_change_is_left_alone(self) -> None:
        self.choose(Config(32), Config(64), Config(128, pre_hook=print))
        self.assertEqual(self.kernel.compiled, {32, 64})

    def test_who_compiles_side_by_side_already_is_left_alone(self) -> None:
        self.modes.active_mode.set("the candidate's own")
        self.choose(Config(32), Config(64))
        self.assertEqual(self.kernel.calls, [])

    def test_without_triton_nothing_happens(self) -> None:
        del sys.modules["triton.runtime.autotuner"]
        before = self.tuners.Autotuner.prune_configs
        triton_tuning.speed_up()
        self.assertIs(self.tuners.Autotuner.prune_configs, before)


class Once(unittest.TestCase):
    def setUp(self) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.error: Exception | None = None
        self.compiler = types.SimpleNamespace(compile=self.compile)
        triton_tuning.remember_failures(self.compiler, types.SimpleNamespace(PTXASError=PTXASError))

    def compile(self, src: Any, target: Any, options: Any, _env_vars: Any = None) -> str:
        self.calls.append((src.hash(), options))
        if self.error is not None:
            raise self.error
        return "a kernel"

    def ask(self, name: str = "a source", **options: int) -> str:
        return self.compiler.compile(types.SimpleNamespace(hash=lambda: name), options=options)

    def test_what_compiles_is_compiled(self) -> None:
        self.assertEqual([self.ask(), self.ask()], ["a kernel"] * 2)
        self.assertEqual(len(self.calls), 2)

    def test_what_needs_too_much_needs_too_much_again(self) -> None:
        self.error = PTXASError("too many registers")
        for _ in range(2):
            with self.assertRaisesRegex(PTXASError, "too many registers"):
                self.ask(num_warps=4)
        self.assertEqual(len(self.calls), 1)

    def test_another_configuration_is_another_question(self) -> None:
        self.error = PTXASError("too many registers")
        for question in ({"num_warps": 4}, {"num_warps": 8}, {"name": "another", "num_warps": 4}):
            with self.assertRaises(PTXASError):
                self.ask(**question)
        self.assertEqual(len(self.calls), 3)

    def test_what_may_be_an_accident_is_tried_again(self) -> None:
        self.error = OSError("no memory")
        for _ in range(2):
            with self.assertRaises(OSError):
                self.ask()
        self.assertEqual(len(self.calls), 2)


if __name__ == "__main__":
    unittest.main()
