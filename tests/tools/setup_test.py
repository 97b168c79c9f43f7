"""Set-up that breaks off says so, and is not taken for complete the next time."""

import os
import subprocess
import sys
import tarfile
import tempfile
import unittest
from pathlib import Path

SETUP = Path(__file__).resolve().parents[2] / "tools/setup"

# Stands for every program that set-up calls; fails when it is called with this word.
PROGRAM = """#!/bin/sh
echo "$(basename "$0") $*" >> "$CALLS"
cat > /dev/null # or whoever writes to it fails, now and then
case " $* " in *" $FAILING "*) exit 1 ;; esac
"""


class Setup(unittest.TestCase):
    def setUp(self) -> None:
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.folder = Path(place.name)
        self.complete = self.folder / "cache/caf-0.18.7/.complete"
        (self.folder / "bin").mkdir()
        self.replace("cmake", "apt-get")
        with tarfile.open(self.folder / "archive.tar.gz", "w:gz") as archive:
            archive.add(__file__, "actor-framework-0.18.7/README.md")

    def replace(self, *programs: str) -> None:
        for name in programs:
            path = self.folder / "bin" / name
            path.write_text(PROGRAM)
            path.chmod(0o755)

    def run_setup(self, failing: str = "nothing") -> subprocess.CompletedProcess[str]:
        environment = {"PATH": f"{self.folder}/bin:{os.environ['PATH']}", "HOME": str(self.folder),
                       "LATHE_CACHE": str(self.folder / "cache"), "LATHE_NO_APT": "1",
                       "LATHE_PYTHON": sys.executable, "FAILING": failing,
                       "CALLS": str(self.folder / "calls"),
                       "CAF_TARBALL": str(self.folder / "archive.tar.gz")}
        return subprocess.run([SETUP], env=environment, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False)

    def calls(self) -> str:
        path = self.folder / "calls"
        return path.read_text() if path.exists() else ""

    def test_an_archive_with_another_checksum_is_not_built(self) -> None:
        ended = self.run_setup()
        self.assertEqual(ended.returncode, 3, ended.stderr)
        self.assertIn("could not fetch CAF 0.18.7", ended.stderr)
        self.assertNotIn("cmake", self.calls())
        self.assertFalse(self.complete.exists())

    def test_a_build_that_breaks_off_is_not_complete(self) -> None:
        self.replace("sha256sum")
        for failing in ("-S", "--build", "--install"):
            with self.subTest(failing=failing):
                ended = self.run_setup(failing)
                self.assertEqual(ended.returncode, 3, ended.stderr)
                self.assertIn("CAF did not build", ended.stderr)
                self.assertFalse(self.complete.exists())

    def test_what_is_complete_is_not_built_again(self) -> None:
        self.replace("sha256sum")
        self.complete.parent.mkdir(parents=True)  # as an installation does
        ended = self.run_setup()
        self.assertEqual(ended.returncode, 0, ended.stderr)
        self.assertTrue(self.complete.exists())
        before = self.calls()
        self.assertIn("cmake --install", before)
        self.assertEqual(self.run_setup().returncode, 0)
        self.assertEqual(self.calls(), before)


if __name__ == "__main__":
    unittest.main()
