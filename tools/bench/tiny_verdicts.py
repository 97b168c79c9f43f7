#!/usr/bin/env python3
"""Verdicts a second on tiny candidates, on the CPU: what judging costs where computing costs nothing.

Judges a few and many copies of a small model; the difference leaves out what a command costs once.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TASK = """import torch
import torch.nn as nn


class {name}(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 8))

    def forward(self, x):
        return self.layers(x)


def get_inputs():
    return [torch.randn(4, 16)]


def get_init_inputs():
    return []
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--few", type=int, default=4)
    parser.add_argument("--many", type=int, default=44)
    parser.add_argument("--time-budget", type=float, default=0.1, help="seconds of measuring")
    arguments = parser.parse_args()
    few, _ = judge(arguments.few, arguments.time_budget)
    many, verdicts = judge(arguments.many, arguments.time_budget)
    rate = (arguments.many - arguments.few) / (many - few)
    outcomes = [verdict["outcome"] for verdict in verdicts]
    held = [stage["wall"] for verdict in verdicts for stage in verdict["stages"]
            if stage["stage"] == "time"]
    told = ", ".join(f"{outcomes.count(x)} {x}" for x in dict.fromkeys(outcomes))
    print(f"{rate:.2f} verdicts a second on {os.cpu_count()} cores ({told}); timed for "
          f"{sorted(held)[len(held) // 2]:.3f} s each")
    return 0


def judge(count: int, budget: float) -> tuple[float, list[dict]]:
    """Returns the wall time of judging so many candidates, and their verdicts."""
    with tempfile.TemporaryDirectory() as place:
        task = Path(place) / "task.py"
        task.write_text(TASK.format(name="Model"))
        candidates = []
        for number in range(count):
            candidates.append(Path(place) / f"candidate_{number}.py")
            candidates[-1].write_text(TASK.format(name="ModelNew") + f"# {number}\n")
        start = time.monotonic()
        ended = subprocess.run([os.environ.get("LATHE", "lathe"), "eval", task, *candidates,
                                "--device", "cpu", "--time-budget", str(budget), "--json"],
                               capture_output=True, text=True, check=False)
        wall = time.monotonic() - start
        return wall, json.loads(ended.stdout)["verdicts"]


if __name__ == "__main__":
    sys.exit(main())
