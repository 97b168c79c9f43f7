"""A disk that fills up: one sentence, and the run goes on once there is room."""

import contextlib
import os
import subprocess
import unittest
from pathlib import Path

from lathe_case import DONE, ENVIRONMENT_LACKS, Journal, LatheCase
from programs import TASK
from topologies import answers, scripted


class FullDisk(LatheCase):
    def mount(self, size: str) -> Path:
        """Returns a folder on a disk of its own, or skips the test."""
        place = self.folder / "disk"
        place.mkdir()
        if os.geteuid() != 0:
            self.skipTest("only root may mount a small disk")
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
        mounted = subprocess.run(command, capture_output=True, text=True)
        if mounted.returncode != 0:
            self.skipTest(f"this machine mounts nothing: {mounted.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", "--lazy", str(place)], check=False)
        return place

    def fill(self, place: Path, leave: int) -> Path:
        """Fills the disk up to the last `leave` bytes."""
        filler = place / "filler"
        free = os.statvfs(place).f_bavail * os.statvfs(place).f_frsize
        filler.write_bytes(b"x" * max(0, free - leave))
        return filler

    def test_a_run_that_cannot_begin_says_so(self) -> None:
        place = self.mount("1m")
        answers(self, ideas=2)
        command = ["run", self.write("t.yaml", scripted(samples=2)), "--task",
                   self.write("sums.py", TASK), "--runs", "disk", "--name", "r"]
        filler = self.fill(place, 0)
        ended = self.lathe(*command)
        self.assert_sentence(ended, ENVIRONMENT_LACKS, "disk/r")
        self.assertRegex(ended.err, "full|No space left")
        filler.unlink()
        with contextlib.suppress(FileNotFoundError):
            self.assertEqual([x.name for x in (place / "r").iterdir() if x.name != "lock"], [])

    def test_a_run_that_runs_out_of_room_goes_on_later(self) -> None:
        place = self.mount("1m")
        answers(self, ideas=4)
        command = ["run", self.write("t.yaml", scripted(samples=4)), "--task",
                   self.write("sums.py", TASK), "--runs", "disk", "--name", "r"]
        filler = self.fill(place, 200_000)
        ended = self.lathe(*command, "--quiet")
        self.assert_sentence(ended, ENVIRONMENT_LACKS, "full", "--resume")
        before = Journal(place / "r").payloads("llm_exchange")
        filler.unlink()
        resumed = self.lathe("run", "--resume", "disk/r", "--json")
        self.assert_code(resumed, DONE)
        after = Journal(place / "r").payloads("llm_exchange")
        self.assertEqual(after[: len(before)], before)
        self.assertEqual(resumed.json["sessions"][0]["state"], "done")


if __name__ == "__main__":
    unittest.main()
