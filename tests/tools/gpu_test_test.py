"""tools/gpu_test, around an installation that is made up."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

COMMAND = Path(__file__).resolve().parents[2] / "tools/gpu_test"

READY = {"findings": [{"name": "python", "state": "ok", "found": f"3.0.0, {sys.executable}"}]}
TEST = """
import os, unittest
class Case(unittest.TestCase):
    def test_device(self):
        self.assertEqual(os.environ["LATHE_TEST_DEVICE"], {device!r})
    @unittest.skip("no reason")
    def test_nothing(self):
        pass
unittest.main()
"""


class GpuTest(unittest.TestCase):
    def setUp(self) -> None:
        place = tempfile.TemporaryDirectory(prefix="lathe-gpu-test-")
        self.addCleanup(place.cleanup)
        self.folder = Path(place.name)
        self.write("tools/gpu_test", "")
        shutil.copy(COMMAND, self.folder / "tools/gpu_test")
        self.doctor(READY)

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def doctor(self, findings: object) -> None:
        self.write("bin/lathe", f"#!/bin/sh\necho '{json.dumps(findings)}'\n").chmod(0o755)

    def run_it(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([sys.executable, "tools/gpu_test", *arguments], cwd=self.folder,
                              capture_output=True, text=True, env={**os.environ, "LATHE": ""})

    def test_all_that_passes_ends_with_0(self) -> None:
        self.write("tests/gpu_host/device_test.py", TEST.format(device="cuda"))
        self.write("tests/cheats/cheats_test.py", TEST.format(device="cuda"))
        self.write("tests/honest/honest_test.py", TEST.format(device="cuda"))
        self.write("tools/bench/gpu_repeats.py", "print('1.01x, at most 1.05x')")
        ended = self.run_it()
        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
        self.assertIn("all 5 passed", ended.stdout)
        self.assertIn("2 tests, 1 skipped", ended.stdout)
        self.assertIn("1.01x, at most 1.05x", ended.stdout)

    def test_what_fails_is_named_and_its_words_are_shown(self) -> None:
        self.write("tests/cheats/cheats_test.py", TEST.format(device="tpu"))
        ended = self.run_it("cheats")
        self.assertEqual(ended.returncode, 1, ended.stdout + ended.stderr)
        self.assertRegex(ended.stdout, r"cheats +cheats_test +FAILED .* 2 tests, 1 failures")
        self.assertIn("'cuda' != 'tpu'", ended.stdout)
        self.assertIn("1 of 1 failed", ended.stdout)

    def test_a_part_without_tests_does_not_pass(self) -> None:
        ended = self.run_it("honest")
        self.assertEqual(ended.returncode, 1, ended.stdout + ended.stderr)
        self.assertIn("there is nothing to run", ended.stdout)

    def test_tests_of_the_executable_count_when_they_know_the_device(self) -> None:
        self.write("tests/e2e/device_test.py", TEST.format(device="cpu") + "# LATHE_TEST_DEVICE")
        self.write("tests/e2e/other_test.py", "raise SystemExit(1)")
        ended = self.run_it("smoke", "--device", "cpu")
        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
        self.assertIn("device_test", ended.stdout)
        self.assertNotIn("other_test", ended.stdout)

    def test_what_does_not_end_is_ended(self) -> None:
        self.write("tests/cheats/cheats_test.py", "import time; time.sleep(1000)")
        ended = self.run_it("cheats", "--limit", "0.5")
        self.assertEqual(ended.returncode, 1, ended.stdout + ended.stderr)
        self.assertIn("took more than 0.5 s", ended.stdout)

    def test_a_host_that_is_not_set_up(self) -> None:
        self.doctor({"findings": [{"name": "python", "state": "missing", "found": "none"}]})
        ended = self.run_it()
        self.assertEqual(ended.returncode, 3, ended.stdout + ended.stderr)
        self.assertIn("lathe setup-env", ended.stderr)

    def test_a_part_that_does_not_exist(self) -> None:
        ended = self.run_it("chats")
        self.assertEqual(ended.returncode, 2, ended.stdout + ended.stderr)
        self.assertIn("no part 'chats'", ended.stderr)


if __name__ == "__main__":
    unittest.main()
