#!/usr/bin/env python3
"""Whether the profiler names the bottleneck of kernels that were written to have a known one, and
how long it holds the GPU for that: `lathe eval --profile` on the models in tests/bottlenecks,
each as its own candidate where it has no ModelNew beside Model.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LEAST_SHARE = 0.9  # named as they should be
MOST_SECONDS = 1.0  # of the GPU for one profile


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kernels", type=Path, nargs="*",
                        help="files with BOTTLENECK; tests/bottlenecks if none are named")
    parser.add_argument("--device", default=os.environ.get("LATHE_TEST_DEVICE", "cuda"))
    parser.add_argument("--json", type=Path, help="keeps Lathe's document there")
    arguments = parser.parse_args()
    kernels = arguments.kernels or sorted((ROOT / "tests/bottlenecks").glob("*.py"))
    with tempfile.TemporaryDirectory() as place:
        verdicts = judge(arguments, kernels, Path(place))
    named = held = 0
    for file in kernels:
        found = verdicts.get(file.stem, {})
        profile = found.get("profile", "")
        name = profile.partition(":")[0] or found.get("outcome", "no verdict")
        seconds = sum(x["wall"] for x in found.get("stages", []) if x["stage"] == "profile")
        named += name == bottleneck_of(file)
        held = max(held, seconds)
        mark = " " if name == bottleneck_of(file) else "X"
        print(f"{mark} {file.stem:28} {bottleneck_of(file):16} {name:16} {seconds:6.3f} s")
        if mark == "X":
            print(f"      {profile or found.get('evidence', '')}".replace("\n", "\n      ").rstrip())
    print(f"{named} of {len(kernels)} named as they should be ({LEAST_SHARE:.0%} wanted); the GPU is "
          f"held for {held:.3f} s at most ({MOST_SECONDS:g} wanted)")
    return 0 if named >= LEAST_SHARE * len(kernels) and 0 < held < MOST_SECONDS else 1


def bottleneck_of(file: Path) -> str:
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "BOTTLENECK":
            return str(ast.literal_eval(node.value))
    raise SystemExit(f"{file}: there is no BOTTLENECK")


def judge(arguments: argparse.Namespace, kernels: list[Path], place: Path) -> dict[str, dict]:
    candidates = place / "candidates"
    candidates.mkdir()
    for file in kernels:
        source = file.read_text()
        if "class ModelNew" not in source:
            source = re.sub(r"\bclass Model\b", "class ModelNew", source)
            source = re.sub(r"\bsuper\(Model,", "super(ModelNew,", source)
        (candidates / file.name).write_text(source)
    document = arguments.json or place / "lathe.json"
    subprocess.run([os.environ.get("LATHE", "lathe"), "eval", "--tasks", *map(str, kernels),
                    "--candidates", str(candidates), "--device", arguments.device, "--tolerance",
                    "pike", "--profile", f"--json={document}"], stdout=subprocess.DEVNULL)
    return {Path(x["candidate"]).stem: x for x in json.loads(document.read_text())["verdicts"]}


if __name__ == "__main__":
    sys.exit(main())
