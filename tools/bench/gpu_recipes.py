#!/usr/bin/env python3
"""What recipes alone make of tasks: `lathe run TASKS`, without an LLM. Prints each task's best against
eager, the geometric mean over all (a task without a win counts as 1), and how long it took.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tasks", type=Path, nargs="*",
                        help="tasks in KernelBench's format; Lathe's examples if none are named")
    parser.add_argument("--pike", type=Path, help="a checkout of PIKE, whose level 3 is taken then")
    parser.add_argument("--tolerance", default="pike")
    parser.add_argument("--device", default=os.environ.get("LATHE_TEST_DEVICE", "cuda"))
    parser.add_argument("--least", type=float,
                        help="the mean that has to be reached; 3.1 with --pike, else 1")
    parser.add_argument("--limit", type=float, default=1500, help="ends the run then [s]")
    parser.add_argument("--keep", type=Path,
                        help="a folder for report, winners, log and journal of the run")
    arguments = parser.parse_args()
    if arguments.least is None:
        arguments.least = 3.1 if arguments.pike else 1.0
    if not arguments.tasks:
        folder = (arguments.pike / "KernelBench/level3-pike" if arguments.pike
                  else ROOT / "configs/tasks")
        arguments.tasks = sorted(folder.glob("*.py"))
    with tempfile.TemporaryDirectory() as place:
        began = time.monotonic()
        found = run(arguments, Path(place))
        wall = time.monotonic() - began
        if arguments.keep is not None:
            arguments.keep.mkdir(parents=True, exist_ok=True)
            for file in (x for x in Path(place, "r").iterdir() if x.is_file()):
                shutil.copy(file, arguments.keep)
    if found is None:
        return 3
    mean = geometric_mean([x["speedup"] for x in found["sessions"]])
    empty = [x["task"] for x in found["sessions"] if x["right"] == 0]
    show(found)
    print(f"geomean {mean:.2f}x over eager ({arguments.least} wanted) on {len(found['sessions'])} tasks, "
          f"tolerance {arguments.tolerance}, in {wall:.0f} s (at most {arguments.limit:.0f})")
    print(f"without a correct candidate: {', '.join(empty) or 'none'}")
    print(f"measured again after the search: {sum(x['confirmed'] for x in found['sessions'])} winners")
    return 0 if mean >= arguments.least and not empty and wall <= arguments.limit else 1


def run(arguments: argparse.Namespace, place: Path) -> dict[str, Any] | None:
    lathe = os.environ.get("LATHE", "lathe")
    command = [lathe, "run", "--tasks", *map(str, arguments.tasks), "--tolerance",
               arguments.tolerance, "--device", arguments.device, "--runs", str(place), "--name", "r",
               "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            out, _ = process.communicate(timeout=arguments.limit)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)  # it finishes what is under way, and reports
            out, _ = process.communicate()
    if not out:
        print(f"lathe run ended with {process.returncode} and without a result", file=sys.stderr)
        return None
    document: dict[str, Any] = json.loads(out)
    return document


def geometric_mean(speedups: list[float]) -> float:
    return math.exp(sum(math.log(max(1.0, x)) for x in speedups) / len(speedups))


def show(found: dict[str, Any]) -> None:
    width = max(len(x["task"]) for x in found["sessions"])
    for x in found["sessions"]:
        best = (f"{x['speedup']:5.2f}x [{x['low']:.2f}, {x['high']:.2f}]  {x['how']}"
                if x["how"] != "reference" else " no win")
        print(f"{x['task']:{width}}  {best}  ({x['tried']} tried, {x['right']} correct)")
    for x in found["devices"]:
        print(", ".join(f"{key} {value:.1f}" if isinstance(value, float) else f"{key} {value}"
                        for key, value in x.items()))


if __name__ == "__main__":
    sys.exit(main())
