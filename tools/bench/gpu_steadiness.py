#!/usr/bin/env python3
"""How steady verdicts are: unchanged models are judged again and again, on an idle host and on one
whose every core is busy. The medians of their speed-ups should stay what they are, and none of them
may be a win. Times are shown beside: a processor whose core is shared with a busy one is slower, for
the reference and for the candidate.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

# A launch-bound model, 0.03 to 0.1 ms a call; one that mixes; one that keeps the GPU busy.
TASKS = {
    "launch_bound": ("nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 8)",
                     "1, 16"),
    "mixed": ("nn.Linear(1024, 1024), nn.GELU(), nn.LayerNorm(1024), nn.Linear(1024, 1024)",
              "2048, 1024"),
    "busy": ("nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(), "
             "nn.Conv2d(64, 64, 3, padding=1)", "32, 32, 64, 64"),
}
TASK = """import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential({layers})

    def forward(self, x):
        return self.layers(x)


def get_inputs():
    return [torch.randn({shape})]


def get_init_inputs():
    return []
"""
FIGURES = {"speed-up": "speedup", "ms": "candidate_ms"}
WITHIN = 0.01  # how far the two medians of speed-ups may be apart


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default=os.environ.get("LATHE_TEST_DEVICE", "cuda"))
    parser.add_argument("--repeats", type=int, default=20, help="of each verdict, idle and busy")
    parser.add_argument("--json", type=Path, help="keeps all verdicts there")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        write_tasks(Path(place))
        idle = repeat(arguments, Path(place))
        with every_core_busy():
            busy = repeat(arguments, Path(place))
    if arguments.json:
        arguments.json.write_text(json.dumps({"idle": idle, "busy": busy}))
    steady = [tell_steadiness(f"{name}, {what}", figures(idle[name], key), figures(busy[name], key))
              or what != "speed-up" for name in TASKS for what, key in FIGURES.items()]
    runs = [run for host in (idle, busy) for runs in host.values() for run in runs]
    unchanged = tell_unchanged(runs)
    return 0 if all(steady) and unchanged else 1


def write_tasks(place: Path) -> None:
    """Each task, and itself as its candidate."""
    for folder in ("tasks", "candidates"):
        (place / folder).mkdir()
    for name, (layers, shape) in TASKS.items():
        text = TASK.format(layers=layers, shape=shape)
        (place / "tasks" / f"{name}.py").write_text(text)
        (place / "candidates" / f"{name}.py").write_text(re.sub(r"\bModel\b", "ModelNew", text))


def repeat(arguments: argparse.Namespace, place: Path) -> dict[str, list[dict]]:
    """Returns each task's verdicts."""
    ended = subprocess.run([os.environ.get("LATHE", "lathe"), "eval", "--tasks", place / "tasks",
                            "--candidates", place / "candidates", "--device", arguments.device,
                            "--repeat", str(arguments.repeats), "--json"],
                           capture_output=True, text=True, check=False)
    return {Path(verdict["task"]).stem: verdict.get("runs", [verdict])
            for verdict in json.loads(ended.stdout)["verdicts"]}


def figures(runs: list[dict], key: str) -> list[float]:
    return [run["timing"][key] for run in runs if run.get("timing")]


class every_core_busy:
    """As many processes as there are cores, each of which computes for nobody."""

    def __enter__(self) -> None:
        self.processes = [multiprocessing.Process(target=compute, daemon=True)
                          for _ in range(os.cpu_count() or 1)]
        for process in self.processes:
            process.start()

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.kill()
            process.join()


def compute() -> None:
    x = 1
    while True:
        x = x * 1103515245 % 2147483647


def spread(values: list[float]) -> float:
    """How far the one that is furthest from the median is from it."""
    middle = statistics.median(values)
    return max(abs(x / middle - 1) for x in values)


def tell_steadiness(name: str, idle: list[float], busy: list[float]) -> bool:
    if len(idle) < 2 or len(busy) < 2:
        print(f"{name}: {len(idle)} verdicts with times on the idle host, {len(busy)} on the busy "
              "one: nothing to compare")
        return False
    ratio = statistics.median(busy) / statistics.median(idle)
    print(f"{name}: {statistics.median(idle):.4f}; verdicts with times: {len(idle)} idle, "
          f"{len(busy)} busy; furthest from the median {spread(idle):.2%} idle, "
          f"{spread(busy):.2%} busy; median of busy over median of idle {ratio:.4f}",
          flush=True)
    return abs(ratio - 1) <= WITHIN


def tell_unchanged(runs: list[dict]) -> bool:
    timed = [run["timing"] for run in runs if run.get("timing")]
    wins = sum(x["low"] > 1 for x in timed)
    losses = sum(x["high"] < 1 for x in timed)
    print(f"unchanged models: {len(runs)} verdicts, {len(timed) - wins - losses} ties, {wins} wins, "
          f"{losses} losses, {len(runs) - len(timed)} without times; speed-ups from "
          f"{min(x['speedup'] for x in timed):.3f} to {max(x['speedup'] for x in timed):.3f}")
    return wins == 0 and losses == 0


if __name__ == "__main__":
    sys.exit(main())
