"""The compilers that torch builds extensions with: few headers first, all of them when that fails."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

TOOLCHAIN = Path(__file__).resolve().parents[3] / "gpu/processes/toolchain"

# Says what it was called with, and fails as often as it is told to.
COMPILER = """#!/bin/sh
echo "$0 $*" >> "$CALLS"
if [ $(wc -l < "$CALLS") -le "$FAILURES" ]; then
  echo "error number $(wc -l < "$CALLS")" >&2
  exit 1
fi
echo "warning: all of it compiles" >&2
"""
EXTENSION = ["-DTORCH_EXTENSION_NAME=kernels", "-c", "kernels.cu", "-o", "kernels.o"]


class CompileExtension(unittest.TestCase):
    def setUp(self) -> None:
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.folder = Path(place.name)
        for name in ("nvcc", "g++"):
            path = self.folder / name
            path.write_text(COMPILER)
            path.chmod(0o755)

    def compile(self, compiler: str, arguments: list[str],
                failures: int = 0) -> tuple[subprocess.CompletedProcess[str], list[str]]:
        calls = self.folder / "calls"
        environment = {"PATH": f"{self.folder}:{os.environ['PATH']}", "CALLS": str(calls),
                       "FAILURES": str(failures), "TMPDIR": str(self.folder)}
        ended = subprocess.run([TOOLCHAIN / compiler, *arguments], env=environment,
                               capture_output=True, text=True, check=False)
        return ended, calls.read_text().splitlines()

    def test_an_extension_is_compiled_with_few_headers(self) -> None:
        for compiler in ("nvcc", "g++"):
            with self.subTest(compiler=compiler):
                (self.folder / "calls").unlink(missing_ok=True)
                ended, calls = self.compile(compiler, EXTENSION)
                self.assertEqual(ended.returncode, 0)
                self.assertEqual(ended.stderr, "warning: all of it compiles\n")
                self.assertEqual(len(calls), 1)
                self.assertIn(f"/{compiler} -DAT_PER_OPERATOR_HEADERS", calls[0])
                self.assertIn(f"-I{TOOLCHAIN}/lean ", calls[0])

    def test_what_fails_is_compiled_with_all_of_them_and_only_that_is_heard_of(self) -> None:
        ended, calls = self.compile("nvcc", EXTENSION, failures=1)
        self.assertEqual(ended.returncode, 0)
        self.assertEqual(ended.stderr, "warning: all of it compiles\n")
        self.assertEqual(len(calls), 2)
        self.assertNotIn("lean", calls[1])

    def test_what_cannot_be_compiled_fails_with_the_second_errors(self) -> None:
        ended, calls = self.compile("g++", EXTENSION, failures=2)
        self.assertEqual(ended.returncode, 1)
        self.assertEqual(ended.stderr, "error number 2\n")
        self.assertEqual(len(calls), 2)

    def test_links_and_other_files_are_handed_through(self) -> None:
        for arguments in (["kernels.o", "-shared", "-o", "kernels.so"], ["-c", "other.cpp"], ["-v"]):
            with self.subTest(arguments=arguments):
                (self.folder / "calls").unlink(missing_ok=True)
                _, calls = self.compile("g++", arguments)
                self.assertEqual([call.split("g++ ", 1)[1] for call in calls],
                                 [" ".join(arguments)])

    def test_nothing_is_left_in_the_temporary_folder(self) -> None:
        self.compile("nvcc", EXTENSION, failures=2)
        self.assertEqual(sorted(x.name for x in self.folder.iterdir()), ["calls", "g++", "nvcc"])


if __name__ == "__main__":
    unittest.main()
