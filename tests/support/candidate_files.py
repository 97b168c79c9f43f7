"""Candidate files that say in their first lines what they are and what has to become of them.

    # row: 12
    # title: Pointer-keyed cache
    # tries: ...
    # rule: incorrect or wrong-when-timed
    # runs on: cpu, cuda
    # task: product
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEVICE = os.environ.get("LATHE_TEST_DEVICE", "cpu")


@dataclass
class CandidateFile:
    path: Path
    header: dict[str, str]

    @property
    def name(self) -> str:
        return self.path.stem

    def listed(self, key: str, separator: str = ",") -> list[str]:
        return [x.strip() for x in self.header[key].split(separator)]

    @property
    def devices(self) -> list[str]:
        return self.listed("runs on")

    @property
    def task(self) -> Path:
        return self.path.parent / "tasks" / (self.header["task"] + ".py")


def read_header(path: Path) -> dict[str, str]:
    header = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("# "):
            break
        key, _, value = line[2:].partition(":")
        header[key] = value.strip()
    return header


def files_in(folder: Path) -> list[CandidateFile]:
    """Returns all candidates of a folder, by name."""
    return [CandidateFile(path, read_header(path)) for path in sorted(folder.glob("*.py"))
            if not path.name.endswith("_test.py")]


def judge(files: list[CandidateFile], *options: str) -> dict[str, Any]:
    """Returns each candidate's verdict under its name.

    One call of lathe for each set of options, since much of a verdict's time is preparation that
    goes on while others are judged.
    """
    verdicts: dict[str, Any] = {}
    for extra in sorted({x.header.get("options", "") for x in files}):
        members = [x for x in files if x.header.get("options", "") == extra]
        chosen = dict(zip(options[::2], options[1::2]))
        chosen |= dict(zip(extra.split()[::2], extra.split()[1::2]))
        if DEVICE != "cpu":
            chosen["--device"] = DEVICE
        with tempfile.TemporaryDirectory() as place:
            verdicts |= judge_staged(members, stage(members, Path(place)), chosen)
    return verdicts


def stage(files: list[CandidateFile], place: Path) -> list[str]:
    """Lays tasks and candidates out so that their names say what belongs together."""
    for folder in ("tasks", "candidates"):
        (place / folder).mkdir()
    for file in files:
        shutil.copy(file.task, place / "tasks")
        shutil.copy(file.path, place / "candidates" / f"{file.task.stem}--{file.path.name}")
    return ["--tasks", str(place / "tasks"), "--candidates", str(place / "candidates")]


def judge_staged(files: list[CandidateFile], places: list[str],
                 options: dict[str, str]) -> dict[str, Any]:
    words = [word for option in options.items() for word in option]
    arguments = ["eval", *places, "--json", *words]
    ended = subprocess.run([os.environ["LATHE"], *arguments], stdin=subprocess.DEVNULL,
                           capture_output=True, text=True, timeout=1800, check=False)
    if not ended.stdout:
        raise AssertionError(f"lathe {' '.join(arguments)}\n{ended.stderr}")
    found = {Path(x["candidate"]).stem: x for x in json.loads(ended.stdout)["verdicts"]}
    return {x.name: found[f"{x.task.stem}--{x.path.stem}"] for x in files}


def told(verdict: dict[str, Any]) -> str:
    """A verdict in a line, for a test that fails."""
    short = {key: verdict.get(key) for key in ("outcome", "rule", "evidence", "timing")}
    return json.dumps(short)[:1500]
