#!/usr/bin/env python3
"""What it costs to build a CUDA candidate once more with one line of its kernel changed: `lathe
eval` judges a candidate in an empty cache, then the other one, and the times of their builds are
compared.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CANDIDATE = ROOT / "tests/honest/inline_cuda.py"
TASK = ROOT / "tests/honest/tasks/elementwise.py"
LINE = "z[i] = (s * b + tanhf(b)) * (a * s);"
CHANGED = "z[i] = a * s * (s * b + tanhf(b));"
MOST = 0.5  # of the first build's time


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default=os.environ.get("LATHE_TEST_DEVICE", "cuda"))
    arguments = parser.parse_args()
    text = CANDIDATE.read_text()
    assert LINE in text
    with tempfile.TemporaryDirectory() as place:
        first = build_time(arguments.device, Path(place), text)
        second = build_time(arguments.device, Path(place), text.replace(LINE, CHANGED))
    print(f"build: {first:.2f} s, with one line of the kernel changed {second:.2f} s: "
          f"{second / first:.2f} of it ({MOST} wanted)")
    return 1 if second > MOST * first else 0


def build_time(device: str, place: Path, text: str) -> float:
    """Returns the seconds until a candidate's file was imported."""
    (place / "candidate.py").write_text(text)
    report = place / "report.json"
    cache = {"LATHE_CACHE": str(place / "cache")}
    subprocess.run([os.environ.get("LATHE", "lathe"), "eval", TASK, place / "candidate.py",
                    "--device", device, f"--json={report}"], check=False,
                   stdout=subprocess.DEVNULL, env=os.environ | cache)
    verdict, = json.loads(report.read_text())["verdicts"]
    if verdict["outcome"] != "correct":
        sys.exit(f"{verdict['outcome']}: {verdict.get('evidence', '')}")
    return sum(x["wall"] for x in verdict["stages"] if x["stage"] == "build")


if __name__ == "__main__":
    sys.exit(main())
