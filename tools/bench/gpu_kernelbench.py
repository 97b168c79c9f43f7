#!/usr/bin/env python3
"""How long Lathe and KernelBench's own scripts/eval_from_generations.py take for the same
candidates, on the same GPU, one after the other.

Twelve tasks of level 1, five candidates each: the unchanged model and four that recipe passes make
of it (compiled, captured as a graph, both, in TF32). KernelBench takes its defaults: five
correctness trials, a hundred timed ones, one candidate at a time in a process of its own. Of what
its script imports, only what its clouds and LLMs need is left out (modal, litellm, openai, dotenv);
the packages pydra-config, dill and pydantic have to be there. With --ratio it is stopped as soon as
it is known to take so many times as long; what it had done by then is told.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LEAST_RATIO = 5

# Spread over level 1: products, a norm, an activation, convolutions of six kinds, a loss. Of all that
# Lathe draws for them (11 inputs with their answers) none is more than 15 GB: reductions, scans and
# the larger ones take 75 to 200 GB of the host's memory, and longer than anybody wants to watch
# KernelBench draw them seven times for each candidate.
PROBLEMS = (1, 6, 8, 40, 50, 61, 62, 66, 83, 85, 88, 95)

# What samples 1, 2, ... are made of; sample 0 is the unchanged model.
CHAINS = (("compile",), ("graph",), ("compile", "graph"), ("tf32",))

# Packages that eval_from_generations.py imports and does not use when it evaluates here.
ABSENT = ("modal", "litellm", "openai", "dotenv")
STAND_IN = '''"""Stands in for a package that is imported and not used: whatever is asked of it is itself."""


class Anything:
    def __getattr__(self, name):
        return self

    def __call__(self, *args, **kwargs):
        return self


def __getattr__(name):
    return Anything()
'''


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kernelbench", type=Path, help="a checkout of KernelBench")
    parser.add_argument("--problems", type=int, nargs="+", default=PROBLEMS)
    parser.add_argument("--device", default=os.environ.get("LATHE_TEST_DEVICE", "cuda"))
    parser.add_argument("--ratio", type=float, default=float("inf"),
                        help="stop KernelBench when it has taken so many times as long")
    parser.add_argument("--limit", type=float, default=3600, help="stop it then [s]")
    parser.add_argument("--json", type=Path, help="keeps Lathe's document there")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        tasks = lay_out(arguments, Path(place))
        count = len(tasks) * (1 + len(CHAINS))
        read_from_disk()
        wall = judge_with_lathe(arguments, tasks, Path(place), count)
        if wall is None:
            return 3
        limit = min(arguments.limit, arguments.ratio * wall)
        theirs, done = judge_with_kernelbench(Path(place), limit)
    ended = done == count
    print(f"KernelBench: {done} of {count} evaluations in {theirs:.1f} s")
    print(f"wall: lathe {wall:.1f} s, KernelBench {'' if ended else 'more than '}{theirs:.1f} s: "
          f"{'' if ended else 'more than '}{theirs / wall:.2f} times as long (at least "
          f"{LEAST_RATIO} wanted)")
    return 0 if theirs >= LEAST_RATIO * wall else 1


def lay_out(arguments: argparse.Namespace, place: Path) -> list[Path]:
    """Makes a checkout with those tasks alone and the candidates in runs/r; returns the tasks."""
    checkout = place / "kernelbench"
    for part in ("src", "scripts"):
        shutil.copytree(arguments.kernelbench / part, checkout / part)
    level = checkout / "KernelBench/level1"
    level.mkdir(parents=True)
    candidates = checkout / "runs/r"
    candidates.mkdir(parents=True)
    tasks = []
    for number in arguments.problems:
        (task,) = (arguments.kernelbench / "KernelBench/level1").glob(f"{number}_*.py")
        tasks.append(Path(shutil.copy(task, level)))
        for sample, source in enumerate(candidates_of(task.read_text())):
            name = f"level_1_problem_{number}_sample_{sample}_kernel.py"
            (candidates / name).write_text(source)
    stand_ins = place / "stand_ins"
    stand_ins.mkdir()
    for name in ABSENT:
        (stand_ins / f"{name}.py").write_text(STAND_IN)
    return tasks


def read_from_disk() -> None:
    """Imports what both will: neither shall pay for a disk that nobody has read from yet."""
    subprocess.run([sys.executable, "-c", "import torch._dynamo, torch._inductor.compile_fx, triton"],
                   check=False)


def candidates_of(task: str) -> list[str]:
    sys.path.insert(0, str(ROOT / "gpu/processes"))
    import recipes  # torch comes along: only here

    passes = {x.stem: x.read_text() for x in (ROOT / "configs/recipes").glob("*.py")}
    unchanged = re.sub(r"\bclass Model\b", "class ModelNew", task)
    unchanged = re.sub(r"\bsuper\(Model,", "super(ModelNew,", unchanged)
    sources = recipes.Sources.of(task)
    return [unchanged, *(recipes.write(sources, [recipes.parse(x, passes) for x in chain], "eval")
                         for chain in CHAINS)]


def judge_with_lathe(arguments: argparse.Namespace, tasks: list[Path], place: Path,
                     count: int) -> float | None:
    document = arguments.json or place / "lathe.json"
    began = time.monotonic()
    done = subprocess.run([os.environ.get("LATHE", "lathe"), "eval", "--tasks", *map(str, tasks),
                           "--candidates", str(place / "kernelbench/runs/r"), "--device",
                           arguments.device, f"--json={document}"], stdout=subprocess.DEVNULL)
    wall = time.monotonic() - began
    if done.returncode not in (0, 1):
        return None
    outcomes = [x.get("outcome", "lost") for x in json.loads(document.read_text())["verdicts"]]
    told = ", ".join(f"{outcomes.count(x)} {x}" for x in sorted(set(outcomes)))
    print(f"lathe: {len(outcomes)} of {count} verdicts in {wall:.1f} s: {told}", flush=True)
    return wall


def judge_with_kernelbench(place: Path, limit: float) -> tuple[float, int]:
    """Returns how long it took [s], and how many evaluations it had done by then."""
    checkout = place / "kernelbench"
    paths = [str(checkout / "src"), str(place / "stand_ins"), os.environ.get("PYTHONPATH", "")]
    command = [sys.executable, "scripts/eval_from_generations.py", "run_name=r", "dataset_src=local",
               "level=1", f"num_samples_per_problem={1 + len(CHAINS)}", "gpu_arch=['Hopper']",
               "timeout=300"]
    results = checkout / "runs/r/eval_results.json"
    began = time.monotonic()
    with subprocess.Popen(command, cwd=checkout, env={**os.environ, "PYTHONPATH": ":".join(paths)},
                          stdout=subprocess.DEVNULL, start_new_session=True) as process:
        try:
            process.wait(limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
    wall = time.monotonic() - began
    try:
        done = sum(len(x) for x in json.loads(results.read_text()).values())
    except (OSError, ValueError):
        done = 0
    return wall, done


if __name__ == "__main__":
    sys.exit(main())
