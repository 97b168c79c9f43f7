#!/usr/bin/env python3
"""What verdicts cost on a GPU: wall time of a set of evaluations, and how long each holds the GPU.

With --pike CHECKOUT the same candidates are then judged by PIKE's own evaluator (scripts/eval.py of
a checkout of pike-project/pike), one cold process each, twelve at once behind its lock, as its worker
does; the last line is the ratio of the two, taken in the same run on the same host.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

AT_ONCE = 12  # PIKE's default


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=Path, nargs="+", required=True,
                        help="tasks in KernelBench's format, named NUMBER_NAME.py")
    parser.add_argument("--copies", type=int, default=2,
                        help="candidates a task: the task itself, so that both tools judge the same")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--pike", type=Path, help="a checkout of PIKE to compare with")
    parser.add_argument("--level", default="3-pike", help="PIKE's name for the tasks' folder")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        candidates = write_candidates(arguments, Path(place))
        ours = judge_with_lathe(arguments, Path(place))
        if arguments.pike is None:
            return 0
        theirs = judge_with_pike(arguments, candidates, Path(place))
    print(f"wall: lathe {ours:.1f} s, PIKE {theirs:.1f} s: {theirs / ours:.2f} times as long")
    return 0


def write_candidates(arguments: argparse.Namespace, place: Path) -> list[tuple[int, Path]]:
    """Returns each candidate with the number of its task."""
    (place / "tasks").mkdir()
    (place / "candidates").mkdir()
    result = []
    for task in arguments.tasks:
        text = task.read_text()
        (place / "tasks" / task.name).write_text(text)
        number = int(task.name.split("_")[0])
        for copy in range(arguments.copies):
            path = place / "candidates" / f"level_3_problem_{number}_sample_{copy}_kernel.py"
            path.write_text(re.sub(r"\bModel\b", "ModelNew", text) + f"\n# copy {copy}\n")
            result.append((number, path))
    return result


def judge_with_lathe(arguments: argparse.Namespace, place: Path) -> float:
    report = place / "lathe.json"
    start = time.monotonic()
    subprocess.run([os.environ.get("LATHE", "lathe"), "eval", "--tasks", place / "tasks",
                    "--candidates", place / "candidates", "--device", arguments.device,
                    "--tolerance", "pike", f"--json={report}"], check=False)
    wall = time.monotonic() - start
    verdicts = json.loads(report.read_text())["verdicts"]
    held = [stage["wall"] for verdict in verdicts for stage in verdict["stages"]
            if stage["stage"] == "time"]
    ready = [stage["wall"] for verdict in verdicts for stage in verdict["stages"]
             if stage["stage"] == "build"]
    correct = sum(verdict["outcome"] == "correct" for verdict in verdicts)
    wins = sum(verdict.get("timing", {}).get("low", 0) > 1 for verdict in verdicts)
    print(f"lathe: {len(verdicts)} verdicts in {wall:.1f} s, {correct} correct, {wins} of these "
          "unchanged models told as wins")
    if held:
        print(f"GPU held exclusively: median {statistics.median(held):.2f} s, at most "
              f"{max(held):.2f} s; process ready and file imported: median "
              f"{statistics.median(ready):.2f} s")
    return wall


def judge_with_pike(arguments: argparse.Namespace, candidates: list[tuple[int, Path]],
                    place: Path) -> float:
    def judge(item: tuple[int, Path]) -> int:
        number, path = item
        return subprocess.run(
            [sys.executable, arguments.pike / "scripts" / "eval.py", "--level", arguments.level,
             "--task", str(number), "--code-path", path, "--gpu-locks-dir", place / "locks"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode

    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        codes = list(pool.map(judge, candidates))
    wall = time.monotonic() - start
    print(f"PIKE: {len(codes)} evaluations in {wall:.1f} s, {codes.count(0)} ended well")
    return wall


if __name__ == "__main__":
    sys.exit(main())
