#!/usr/bin/env python3
"""What verdicts cost on a GPU: wall time of a set of evaluations, and how long each holds the GPU.

With --pike CHECKOUT the same candidates are then judged by PIKE's own evaluator (scripts/eval.py of
a checkout of pike-project/pike), one cold process each, twelve at once behind its lock, as its worker
does; the last line is the ratio of the two, taken in the same run on the same host: at least so
much, when PIKE is stopped before its end. They are the 90 that PIKE has published, if none are named;
without --pike each task is judged against copies of itself. --pike-ratio 4.1 stops PIKE as soon as it
is known to take so many times as long. Where no command may run for as long as both take, --pike-only
leaves Lathe out, and PIKE's candidates can come in parts.

What must be reached on a GPU is told where it is missed, and the exit code is 1 then: none lost, a
median of half a second exclusive, a repeated candidate in 10 ms, a quarter of PIKE's wall.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
AT_ONCE = 12  # PIKE's default
LONGEST_HOLD = 0.5  # [s], the median
LONGEST_REPETITION = 10e-3  # [s]
LEAST_RATIO = 4

# Where PIKE keeps what its runs on an H100 came to, a file a task.
PUBLISHED = ("prev_agents_300", "openevolve_pop_10_no_agents_300",
             "openevolve_pop_25_no_agents_300")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=Path, nargs="+",
                        help="tasks in KernelBench's format; with --pike named NUMBER_NAME.py, and "
                        "its own if none are named")
    parser.add_argument("--candidates", type=Path, nargs="+",
                        help="named level_3_problem_NUMBER_sample_NUMBER_kernel.py")
    parser.add_argument("--copies", type=int, default=2, help="of each task, without --candidates")
    parser.add_argument("--device", default=os.environ.get("LATHE_TEST_DEVICE", "cuda"))
    parser.add_argument("--pike", type=Path, help="a checkout of PIKE to compare with")
    parser.add_argument("--pike-limit", type=float, default=3600, help="stop it then [s]")
    parser.add_argument("--pike-ratio", type=float, default=float("inf"),
                        help="stop it when it has taken so many times as long")
    parser.add_argument("--pike-only", action="store_true", help="Lathe is not run")
    parser.add_argument("--level", default="3-pike", help="PIKE's name for the tasks' folder")
    parser.add_argument("--json", type=Path, help="keeps Lathe's document there")
    arguments = parser.parse_args()
    if arguments.pike_only and arguments.pike is None:
        parser.error("--pike-only needs --pike CHECKOUT")
    with tempfile.TemporaryDirectory() as place:
        candidates = lay_out(arguments, Path(place))
        if arguments.pike_only:
            judge_with_pike(arguments, candidates, Path(place), arguments.pike_limit)
            return 0
        missed: list[str] = []
        ours = judge_with_lathe(arguments, Path(place), missed)
        repeat_one(arguments, Path(place), missed)
        if arguments.pike is not None:
            limit = min(arguments.pike_limit, ours * arguments.pike_ratio)
            theirs, complete = judge_with_pike(arguments, candidates, Path(place), limit)
            least = "" if complete else "more than "
            print(f"wall: lathe {ours:.1f} s, PIKE {least}{theirs:.1f} s: "
                  f"{least}{theirs / ours:.2f} times as long")
            if theirs / ours < LEAST_RATIO:
                missed.append(f"PIKE takes {LEAST_RATIO} times as long")
    if not arguments.device.startswith("cuda"):
        return 0
    for what in missed:
        print(f"not reached: {what}")
    return 1 if missed else 0


def lay_out(arguments: argparse.Namespace, place: Path) -> list[Path]:
    """Puts tasks and candidates where both tools find them, and returns the candidates."""
    for folder in ("tasks", "candidates"):
        (place / folder).mkdir()
    tasks = arguments.tasks or sorted(
        arguments.pike.glob(f"KernelBench/level{arguments.level}/*.py") if arguments.pike
        else ROOT.glob("configs/tasks/*.py"))
    for task in tasks:
        shutil.copy(task, place / "tasks")
    named = {path.name: path for path in arguments.candidates or []}
    if arguments.pike and arguments.candidates is None:
        named = published(arguments.pike, tasks)
    for name, path in named.items():
        (place / "candidates" / name).write_text(as_candidate(path.read_text()))
    for task in [] if named else tasks:
        number = task.stem.split("_")[0]
        text = as_candidate(task.read_text())
        for copy in range(arguments.copies):
            name = (f"level_3_problem_{number}_sample_{copy}_kernel.py" if number.isdigit()
                    else f"{task.stem}--{copy}.py")
            (place / "candidates" / name).write_text(f"{text}\n# copy {copy}\n")
    return sorted((place / "candidates").iterdir())


def published(pike: Path, tasks: list[Path]) -> dict[str, Path]:
    """Returns PIKE's own candidates for these tasks, under the names that KernelBench would give."""
    folder = pike / "best_agent_solutions" / "h100" / "level3-metr"
    numbers = {task.stem.split("_")[0] for task in tasks}
    return {f"level_3_problem_{number}_sample_{sample}_kernel.py": path
            for sample, run in enumerate(PUBLISHED) for number in numbers
            if (path := folder / run / "best_solutions" / f"task_{number}.py").is_file()}


def as_candidate(text: str) -> str:
    """Most of what PIKE publishes calls its class as tasks do."""
    return text if "class ModelNew" in text else re.sub(r"\bModel\b", "ModelNew", text)


def lathe_eval(arguments: argparse.Namespace, *words: str | Path) -> dict:
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        subprocess.run([os.environ.get("LATHE", "lathe"), "eval", *words, "--device",
                        arguments.device, "--tolerance", "pike", f"--json={report.name}"],
                       check=False, stdout=subprocess.DEVNULL)
        return json.loads(Path(report.name).read_text())


def judge_with_lathe(arguments: argparse.Namespace, place: Path, missed: list[str]) -> float:
    """Returns how long it took."""
    start = time.monotonic()
    document = lathe_eval(arguments, "--tasks", place / "tasks", "--candidates",
                          place / "candidates")
    wall = time.monotonic() - start
    if arguments.json:
        arguments.json.write_text(json.dumps(document))
    verdicts = document["verdicts"]
    outcomes = [verdict.get("outcome", "no verdict") for verdict in verdicts]
    told = ", ".join(f"{outcomes.count(x)} {x}" for x in dict.fromkeys(outcomes))
    print(f"lathe: {len(verdicts)} verdicts in {wall:.1f} s: {told}", flush=True)
    if "no verdict" in outcomes:
        missed.append("none is lost")
    tell_stages(verdicts, missed)
    return wall


def tell_stages(verdicts: list[dict], missed: list[str]) -> None:
    def walls(name: str) -> list[float]:
        return [stage["wall"] for verdict in verdicts for stage in verdict.get("stages", [])
                if stage["stage"] == name]

    if held := walls("time"):
        print(f"GPU held exclusively: median {statistics.median(held):.2f} s, at most "
              f"{max(held):.2f} s, {sum(held):.1f} s in all")
        if statistics.median(held) > LONGEST_HOLD:
            missed.append(f"the GPU is held for {LONGEST_HOLD} s, in the median")
    for name in ("build", "warm", "check", "audit"):
        if taken := walls(name):
            print(f"{name}: median {statistics.median(taken):.2f} s, at most {max(taken):.1f} s")


def repeat_one(arguments: argparse.Namespace, place: Path, missed: list[str]) -> None:
    """The same text twice, one after the other: the second verdict is looked up."""
    folder = place / "again"
    folder.mkdir()
    task = sorted((place / "tasks").iterdir())[0]
    text = as_candidate(task.read_text())
    for name in ("first.py", "second.py"):
        (folder / name).write_text(text)
    verdicts = lathe_eval(arguments, task, folder / "first.py", folder / "second.py", "--jobs",
                          "1")["verdicts"]
    if any("stages" not in verdict for verdict in verdicts):
        missed.append("the same candidate again has a verdict")
        return
    first, second = (sum(stage["wall"] for stage in verdict["stages"]) for verdict in verdicts)
    print(f"the same candidate again: {first:.2f} s, then {second * 1e3:.3f} ms")
    if second > LONGEST_REPETITION:
        missed.append(f"a verdict that is known takes {LONGEST_REPETITION * 1e3:g} ms")


def judge_with_pike(arguments: argparse.Namespace, candidates: list[Path], place: Path,
                    limit: float) -> tuple[float, bool]:
    """Returns how long it took, and whether it came to its end within so many seconds."""
    start = time.monotonic()
    end = start + limit

    def judge(path: Path) -> int | None:
        """Returns its exit code; nothing when the time is up."""
        number = re.search(r"problem_(\d+)_", path.name)[1]
        if time.monotonic() > end:
            return None
        with subprocess.Popen(
                [sys.executable, arguments.pike / "scripts" / "eval.py", "--level",
                 arguments.level, "--task", number, "--code-path", path, "--gpu-locks-dir",
                 place / "locks"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                start_new_session=True) as evaluator:
            try:
                return evaluator.wait(max(0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(evaluator.pid, signal.SIGKILL)
                return None

    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        codes = list(pool.map(judge, candidates))
    wall = time.monotonic() - start
    done = [code for code in codes if code is not None]
    print(f"PIKE: {len(done)} of {len(codes)} evaluations in {wall:.1f} s, "
          f"{done.count(0)} ended well")
    return wall, len(done) == len(codes)


if __name__ == "__main__":
    sys.exit(main())
