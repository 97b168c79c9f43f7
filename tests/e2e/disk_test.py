"""A disk that fills up: one sentence, and the run goes on once there is room."""

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
        for left in (0, 60_000):  # for no file at all, and for a journal without events
            with self.subTest(left=left):
                filler = self.fill(place, left)
                ended = self.lathe(*command)
                self.assert_sentence(ended, ENVIRONMENT_LACKS, "disk/r")
                self.assertRegex(ended.err, "full|No space left")
                self.assertNotIn("--resume", ended.err)
                filler.unlink()
        self.assert_code(self.lathe(*command, "--quiet"), DONE)

    def test_results_are_told_though_the_report_cannot_be_written(self) -> None:
        answers(self, ideas=1)
        command = ["run", self.write("t.yaml", scripted(samples=1)), "--task",
                   self.write("sums.py", TASK), "--name", "r"]
        self.assert_code(self.lathe(*command, "--quiet"), DONE)
        report = self.folder / "runs/r/report.md"
        told = report.read_text()
        report.unlink()
        report.mkdir()
        for option in ("--quiet", "--json"):
            with self.subTest(option):
                ended = self.lathe("run", "--resume", "runs/r", option)
                self.assert_sentence(ended, ENVIRONMENT_LACKS, "runs/r/report.md",
                                     "lathe run --resume runs/r")
                self.assertIn("sums", ended.out)
                self.assertNotIn("report runs/r", ended.out)
        report.rmdir()
        self.assert_code(self.lathe("run", "--resume", "runs/r", "--quiet"), DONE)
        self.assertEqual(report.read_text(), told)

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
