"""What every test of the executable starts from."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any, Callable

LATHE = os.environ["LATHE"]
CONFIGS = Path(os.environ["LATHE_CONFIGS"])

# What one test had compiled is of no use to another.
os.environ.setdefault("LATHE_COMPILED_LIMIT", "0")
# A proxy of whoever tests knows nothing of servers on this machine.
for name in ("http_proxy", "https_proxy", "HTTPS_PROXY"):
    os.environ.pop(name, None)

DONE, NOT_BETTER, USER_MISTAKE, ENVIRONMENT_LACKS, SUSPENDED = range(5)

# What no user should ever read.
INTERNALS = re.compile(
    r"Traceback|terminate called|Segmentation|core dumped|Assertion|\bcaf::|\berrc\b|error\(|"
    r"basic_string|std::|worker\.py|zygote\.py|<frozen"
)


class Ended:
    """How a call of lathe ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def __str__(self) -> str:
        return f"exit code {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


class LatheCase(unittest.TestCase):
    """Gives each test an empty folder, which is also where lathe runs."""

    maxDiff = None

    def setUp(self) -> None:
        self.folder = self.empty_folder()

    def empty_folder(self) -> Path:
        place = tempfile.TemporaryDirectory(prefix="lathe-e2e-", ignore_cleanup_errors=True)
        self.addCleanup(place.cleanup)
        return Path(place.name)

    def write(self, name: str, content: str | bytes) -> str:
        """Writes a file into the test's folder and returns the name that lathe knows it by."""
        data = content.encode() if isinstance(content, str) else content
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return name

    # -- calls ----------------------------------------------------------------------------

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Starts lathe; the test's end ends it."""
        process = subprocess.Popen(
            [LATHE, *arguments],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

        def end() -> None:
            process.kill()
            process.communicate()

        self.addCleanup(end)
        return process

    def finish(self, process: subprocess.Popen[str], timeout: float = 240) -> Ended:
        out, err = process.communicate(timeout=timeout)
        return Ended(process.returncode, out, err)

    def lathe(self, *arguments: str, timeout: float = 240, **options: Any) -> Ended:
        return self.finish(self.start(*arguments, **options), timeout)

    def serve_llm(self, *options: str) -> str:
        """Starts llm-server until the test's end, and returns its address."""
        process = subprocess.Popen([os.environ["LLM_SERVER"], "--port", "0", *options],
                                   cwd=self.folder, stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.communicate)
        self.addCleanup(process.terminate)
        assert process.stdout is not None
        found = re.search(r"https?://\S+", process.stdout.readline())
        assert found is not None
        return found[0]

    # -- what is expected -----------------------------------------------------------------

    def assert_code(self, ended: Ended, code: int) -> None:
        self.assertEqual(ended.code, code, str(ended))
        self.assertNotRegex(ended.err, INTERNALS)

    def assert_sentence(self, ended: Ended, code: int, *parts: str) -> None:
        """One line on standard error says all of `parts`, and the exit code fits."""
        self.assert_code(ended, code)
        lines = ended.err.strip().splitlines()
        self.assertEqual(len(lines), 1, str(ended))
        for part in parts:
            self.assertIn(part, lines[0])

    def wait_until(self, what: str, holds: Callable[[], Any], limit: float = 60) -> Any:
        """Waits for something in another process to become true, and returns it."""
        end = time.monotonic() + limit
        while time.monotonic() < end:
            if found := holds():
                return found
            time.sleep(0.02)
        self.fail(f"it took more than {limit:g} s: {what}")


class Journal:
    """A run's journal, read as anybody may read it: with stock SQLite."""

    def __init__(self, run: Path) -> None:
        self.file = run / "journal.sqlite"

    def query(self, sql: str, *values: Any) -> list[Any]:
        if not self.file.exists():
            return []
        connection = sqlite3.connect(f"file:{self.file}?mode=ro", uri=True, timeout=10)
        try:
            return connection.execute(sql, values).fetchall()
        except sqlite3.OperationalError:  # a run that has just begun has no tables yet
            return []
        finally:
            connection.close()

    def payloads(self, kind: str) -> list[Any]:
        rows = self.query("select payload from event where kind = ? order by seq", kind)
        return [json.loads(payload) for (payload,) in rows]

    def count(self, kind: str) -> int:
        return len(self.payloads(kind))


def descendants(pid: int) -> set[int]:
    """Returns the processes that `pid` started, and those that they started."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found: set[int] = set()
    queue = [pid]
    while queue:
        children = parents.get(queue.pop(), [])
        found.update(children)
        queue.extend(children)
    return found


def is_gone(pid: int) -> bool:
    """Tells whether a process has ended, whether or not its parent has taken notice."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def interrupt(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)
