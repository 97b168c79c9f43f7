"""Faults: candidates that do their worst, and processes that somebody kills. The verdicts that come
after them are what they would have been, nothing hangs, and nothing is left running.

LATHE_TEST_DEVICE chooses where: cpu (the default) or cuda. LATHE_TEST_MOMENTS says at how many
moments something is killed, LATHE_TEST_SEED where to begin.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
import unittest
from pathlib import Path
from typing import Any

from lathe_case import DONE, ENVIRONMENT_LACKS, NOT_BETTER, Ended, LatheCase, descendants
from programs import FASTER, TASK, unchanged_but

DEVICE = os.environ.get("LATHE_TEST_DEVICE", "cpu")
SEED = int(os.environ.get("LATHE_TEST_SEED", "1"))
QUICK_MOMENTS = 2
LONG_MOMENTS = int(os.environ.get("LATHE_TEST_MOMENTS", "50"))

OPTIONS = ["--device", DEVICE, "--time-budget", "0.3", "--json"]
LIMITS = ["--build-limit", "8", "--run-limit", "3"]
SLOW_LIMITS = ["--build-limit", "20", "--run-limit", "3"]  # a disk is not filled in a moment

# A judge's doubts about the time are the host's affair.
FINE = ("correct", "unstable")

LEAKS = "kept = []\n        while True: kept.append(torch.ones(1 << 24))"
THREADS = ("import threading, time\n"
           "        while True: threading.Thread(target=time.sleep, args=(9999,)).start()")
FORKS = ("import os\n"
         "        while True:\n"
         "            try: os.fork()\n"
         "            except OSError: pass")
PRINTS = "import os\nfor _ in range(1 << 10):\n    os.write(1, b'x' * (1 << 20))\n" + FASTER
FILLS = ("block = bytes(1 << 24)\n"
         "for path in '/tmp/big', '/dev/shm/big':\n"
         "    try:\n"
         "        with open(path, 'wb', buffering=0) as file:\n"
         "            while file.write(block): pass\n"
         "    except OSError as error:\n"
         "        assert error.errno == 28, error\n" + FASTER)

# What each does, how its verdict looks, and what its evidence says.
HOSTILE: list[tuple[str, str, tuple[str, ...], str]] = [
    ("loops", unchanged_but("while True: pass"), ("timed_out",), ""),
    ("leaves", unchanged_but("import os; os._exit(0)"), ("crashed",), ""),
    ("faults", unchanged_but("import ctypes; ctypes.string_at(0)"), ("crashed",), "SIGSEGV"),
    ("allocates", unchanged_but("torch.ones(100 << 28)"), ("out_of_memory",), ""),
    ("forks", unchanged_but(FORKS), ("crashed", "refused", "timed_out"), ""),
    ("kills", unchanged_but("import os; os.kill(os.getppid(), 9); os.kill(os.getpid(), 9)"),
     ("crashed",), "SIGKILL"),
    ("stops", unchanged_but("import os; os.kill(os.getpid(), 19)"), ("timed_out",), ""),
]
SLOW: list[tuple[str, str, tuple[str, ...], str]] = [
    ("starts_threads", unchanged_but(THREADS), ("crashed", "refused", "timed_out"), ""),
    ("closes", unchanged_but("import os; os.closerange(0, 1 << 16)"), ("crashed",), ""),
    ("kills_all", unchanged_but("import os; os.kill(-1, 9); os.kill(0, 9)"), ("crashed",), ""),
    ("stops_all", unchanged_but("import os; os.kill(0, 19)"), ("timed_out",), ""),
    ("leaks", unchanged_but(LEAKS), ("out_of_memory", "timed_out"), ""),
    ("prints", PRINTS, FINE, ""),
    ("fills", FILLS, FINE, ""),
]


class Watch:
    """Sees every process that a lathe has, as long as it runs."""

    def __init__(self, lathe: subprocess.Popen[str]) -> None:
        self.lathe = lathe
        self.seen: dict[int, str] = {}
        self.thread = threading.Thread(target=self.look)
        self.thread.start()

    def look(self) -> None:
        while self.lathe.poll() is None:
            for pid in descendants(self.lathe.pid):
                self.seen.setdefault(pid, started(pid))
            time.sleep(0.02)

    def left(self) -> list[int]:
        self.thread.join()
        return [pid for pid, when in self.seen.items() if when and started(pid) == when]


def started(pid: int) -> str:
    """When a process started, which tells it from another of that number; empty: it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def depth(pid: int, top: int) -> int:
    """How far below `top` a process is: 1 warm process and verifier, 2 guard, 3 init, 4 worker."""
    for result in range(64):
        if pid == top:
            return result
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            break
    return 0


def groups_of(pid: int) -> list[Path]:
    """The control groups that a lathe has made."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    return [group for fields in mounts if fields[2] == "cgroup2"
            for group in Path(fields[1]).glob(f"**/lathe-{pid}-[0-9]*")]


class FaultCase(LatheCase):
    def eval(self, names: list[str], *options: str, **more: Any) -> tuple[Ended, Watch]:
        process = self.start("eval", "task.py", *names, *OPTIONS, *options)
        watch = Watch(process)
        if kill := more.get("kill"):
            kill(process)
        return self.finish(process, more.get("timeout", 600)), watch

    def verdicts(self, ended: Ended) -> dict[str, Any]:
        self.assertIn(ended.code, (DONE, NOT_BETTER), str(ended))
        return {x["candidate"].removesuffix(".py"): x for x in ended.json["verdicts"]}

    def assert_nothing_left(self, watch: Watch) -> None:
        watch.lathe.wait()
        self.wait_until("nothing is left running", lambda: not watch.left(), 10)
        self.assertEqual(groups_of(watch.lathe.pid), [])


class Hostile(FaultCase):
    """Whatever a candidate does, the next one is judged as if it had never been."""

    def judge(self, candidates: list[tuple[str, str, tuple[str, ...], str]],
              limits: list[str]) -> None:
        self.write("task.py", TASK)
        names = []
        for name, text, *_ in candidates:
            names.append(self.write(f"{name}.py", text))
            names.append(self.write(f"after_{name}.py", FASTER + f"# after {name}\n"))
        ended, watch = self.eval(names, *limits, "--jobs", "1")
        found = self.verdicts(ended)
        for name, _, outcomes, words in candidates:
            with self.subTest(candidate=name):
                self.assertIn(found[name]["outcome"], outcomes, found[name])
                self.assertIn(words, found[name]["evidence"])
                after = found[f"after_{name}"]
                self.assertIn(after["outcome"], FINE, after)
        self.assert_nothing_left(watch)

    def test_what_is_over_soon(self) -> None:
        self.judge(HOSTILE, LIMITS)


class HostileSlowly(Hostile):
    def test_what_is_over_soon(self) -> None:
        self.judge(SLOW, SLOW_LIMITS)


class Killed(FaultCase):
    """SIGKILL of any one evaluation process, at a random moment."""

    moments = QUICK_MOMENTS

    def test_the_verdicts_are_what_they_would_have_been(self) -> None:
        self.write("task.py", TASK)
        names = [self.write(f"c{i}.py", FASTER + f"# {i}\n") for i in range(3)]
        start = time.monotonic()
        ended, watch = self.eval(names)
        usual = time.monotonic() - start
        self.assert_all_fine(self.verdicts(ended), False)
        self.assert_nothing_left(watch)
        for moment in range(self.moments):
            seed = SEED + moment
            with self.subTest(seed=seed):
                self.kill_once(names, seed, usual)

    def kill_once(self, names: list[str], seed: int, usual: float) -> None:
        dice = random.Random(seed)
        victim: list[int] = []

        def kill(process: subprocess.Popen[str]) -> None:
            time.sleep(dice.uniform(0, usual))  # the moment itself, not a wait for something
            while process.poll() is None and not victim:
                # Without the warm process and the verifier most are workers, and most of those idle.
                levels: dict[int, list[int]] = {}
                for pid in sorted(descendants(process.pid)):
                    levels.setdefault(depth(pid, process.pid), []).append(pid)
                levels.pop(0, None)
                if not levels:
                    continue
                level = dice.choice(sorted(levels))
                pid = dice.choice(levels[level])
                try:
                    os.kill(pid, signal.SIGKILL)
                    victim.append(level)
                except ProcessLookupError:
                    pass

        ended, watch = self.eval(names, kill=kill)
        said = f"seed {seed}, level {victim}: {ended}"
        self.assertIn(ended.code, (DONE, NOT_BETTER), said)
        found = self.verdicts(ended)
        self.assertEqual(len(found), len(names), said)
        # A worker that is killed cannot be told from one that killed itself.
        self.assert_all_fine(found, victim != [] and victim[0] >= 4)
        self.assert_nothing_left(watch)

    def assert_all_fine(self, found: dict[str, Any], one_may_have_crashed: bool) -> None:
        others = [x for x in found.values() if x["outcome"] not in FINE]
        self.assertLessEqual(len(others), 1 if one_may_have_crashed else 0, others)
        for x in others:
            self.assertEqual(x["outcome"], "crashed", x)
            self.assertIn("SIGKILL", x["evidence"])


class KilledOften(Killed):
    moments = LONG_MOMENTS


class LatheKilled(FaultCase):
    def test_a_killed_lathe_takes_all_along_and_the_next_one_clears_up(self) -> None:
        self.write("task.py", TASK)
        self.write("c.py", unchanged_but("while True: pass"))
        process = self.start("eval", "task.py", "c.py", *OPTIONS)
        watch = Watch(process)
        self.wait_until("a worker runs", lambda: any(
            depth(pid, process.pid) >= 4 for pid in descendants(process.pid)))
        process.kill()
        process.wait()
        self.wait_until("all is gone", lambda: not watch.left(), 10)
        self.write("d.py", FASTER)
        self.assertIn(self.lathe("eval", "task.py", "d.py", *OPTIONS).code, (DONE, NOT_BETTER))
        self.assertEqual(groups_of(process.pid), [])


class Lacking(FaultCase):
    """What of the sandbox this host does not give is said, and may be insisted on."""

    def test_doctor_verdicts_and_require_sandbox_agree(self) -> None:
        self.write("task.py", TASK)
        self.write("c.py", FASTER)
        findings = {x["name"]: x for x in self.lathe("doctor", "--json").json["findings"]}
        sandbox = findings["sandbox"]
        ended, _ = self.eval(["c.py"])
        lacks = [x for x in ended.json["verdicts"][0]["sandbox_missing"].split(", ") if x]
        strict = self.lathe("eval", "task.py", "c.py", *OPTIONS, "--require-sandbox")
        if sandbox["state"] == "ok":
            self.assertEqual(lacks, [])
            self.assertIn(strict.code, (DONE, NOT_BETTER), str(strict))
            return
        self.assertNotEqual(lacks, [])
        self.assertNotEqual(sandbox["remedy"], "")
        for part in lacks:
            self.assertIn(part, sandbox["found"])
        self.assert_sentence(strict, ENVIRONMENT_LACKS, *lacks, "lathe doctor")


# -- on a GPU ----------------------------------------------------------------------------------

SPINS = "torch.cuda._sleep(1 << 62); torch.cuda.synchronize()"
ILLEGAL = ("torch.ones(4, device='cuda')[torch.tensor([9], device='cuda')]; "
           "torch.cuda.synchronize()")
LEAKS_THERE = ("self.kept = getattr(self, 'kept', None) or "
               "[torch.ones(1 << 28, device='cuda') for _ in range(60)]")
ON_DEVICE: list[tuple[str, str, tuple[str, ...]]] = [
    ("spins", unchanged_but(SPINS), ("timed_out",)),
    ("accesses", unchanged_but(ILLEGAL), ("crashed",)),
    ("leaks", unchanged_but(LEAKS_THERE), ()),  # right, and 60 GB the worse for it
]

MOST_LEFT = 100  # [MiB]
MOST_PATIENCE = 5  # [seconds]


def device_memory() -> int:
    """What is in use on the first GPU [MiB]."""
    said = subprocess.run(
        ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits", "--id=0"],
        capture_output=True, text=True, check=True)
    return int(said.stdout)


@unittest.skipUnless(DEVICE.startswith("cuda"), "needs a GPU: LATHE_TEST_DEVICE=cuda")
class OnDevice(FaultCase):
    """After each, the next verdict is right, and the GPU's memory is back in time."""

    def test_the_gpu_is_free_again(self) -> None:
        self.write("task.py", TASK)
        before = device_memory()
        for name, text, outcomes in ON_DEVICE:
            with self.subTest(candidate=name):
                self.write(f"{name}.py", text)
                self.write("after.py", FASTER + f"# after {name}\n")
                ended, watch = self.eval([f"{name}.py", "after.py"], *LIMITS, "--jobs", "1")
                over = time.monotonic()
                while device_memory() > before + MOST_LEFT:
                    self.assertLess(time.monotonic() - over, 60, "its memory does not come back")
                back = time.monotonic() - over
                found = self.verdicts(ended)
                print(f"{name}: {found[name]['outcome']}, memory back after {back:.2f} s")
                if outcomes:
                    self.assertIn(found[name]["outcome"], outcomes, found[name])
                self.assertIn(found["after"]["outcome"], FINE, found["after"])
                self.assertLess(back, MOST_PATIENCE)
                self.assert_nothing_left(watch)


if __name__ == "__main__":
    unittest.main()
