"""The archive that tools/bundle makes, on a machine that has nothing of what Lathe is built with:
headers, libraries and CAF are covered up in a mount namespace of the test's own."""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from lathe_case import DONE, ENVIRONMENT_LACKS, LATHE, Ended, LatheCase

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(LATHE).parents[1]

# Runs "$@" without what tools/setup has installed.
COVER_UP = """
for folder in "$CAF" /usr/include/boost /usr/include/fmt /usr/include/spdlog; do
  [ ! -d "$folder" ] || mount -t tmpfs none "$folder" || exit 99
done
for name in simdjson spdlog fmt yaml-cpp boost_json seccomp sqlite3 ssl crypto; do
  for file in /usr/include/$name*.h /usr/lib/*/lib$name.so* /usr/lib/*/lib$name.a; do
    [ ! -f "$file" ] || mount --bind /dev/null "$file" || exit 99
  done
done
exec "$@"
"""


def caf() -> str:
    cache = (BUILD / "CMakeCache.txt").read_text()
    line = next(line for line in cache.splitlines() if line.startswith("CAF_DIR:PATH="))
    return line.partition("=")[2].partition("/lib/")[0]


class Bundle(LatheCase):
    @classmethod
    def setUpClass(cls) -> None:
        place = tempfile.TemporaryDirectory(prefix="lathe-bundle-")
        cls.addClassCleanup(place.cleanup)
        cls.place = Path(place.name)
        cls.archive = cls.place / "lathe-bundle.tar.gz"
        subprocess.run([ROOT / "tools/bundle", "--from", BUILD, cls.archive], check=True,
                       stdout=subprocess.DEVNULL)
        subprocess.run(["tar", "xzf", cls.archive, "-C", cls.place], check=True)
        cls.root = cls.place / "lathe"

    def bare(self, *command: str | Path) -> Ended:
        """Runs a command of the bundle as on a bare machine."""
        ended = subprocess.run(
            ["unshare", "--map-root-user", "--mount", "sh", "-c", COVER_UP, "sh",
             *map(str, command)],
            cwd=self.root, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            env={"PATH": os.environ["PATH"], "HOME": str(self.folder), "CAF": caf()})
        self.assertNotEqual(ended.returncode, 99, f"cannot cover up: {ended.stderr}")
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    def test_it_is_small_and_says_nothing_of_where_it_was_made(self) -> None:
        self.assertLess(self.archive.stat().st_size, 40_000_000)
        for path in self.root.rglob("*"):
            if path.is_file() and path.parent.name not in ("bin", "lib"):
                with self.subTest(path=path):
                    self.assertNotIn(str(ROOT).encode(), path.read_bytes())

    def test_it_judges_after_one_command(self) -> None:
        task, solution = "configs/tasks/mlp.py", "configs/solutions/mlp.py"
        early = self.bare("bin/lathe", "eval", task, solution)
        self.assert_sentence(early, ENVIRONMENT_LACKS, "lathe setup-env")

        installed = self.bare("./install", sys.executable)
        self.assert_code(installed, DONE)
        self.assertIn("verifier", installed.out)
        again = self.bare("./install", sys.executable)
        self.assert_code(again, DONE)
        self.assertIn("already there", again.out)

        judged = self.bare("bin/lathe", "eval", "--time-budget", "0.4", task, solution)
        self.assert_code(judged, DONE)
        self.assertIn("correct", judged.out)
        self.assert_code(self.bare("bin/lathe", "doctor"), DONE)

    def test_a_build_folder_keeps_the_native_part_that_it_has(self) -> None:
        ended = self.lathe("setup-env", sys.executable)
        self.assert_code(ended, DONE)
        self.assertIn("by Lathe's own build", ended.out)
        self.assertFalse((Path(LATHE).parent / "environment").exists())


if __name__ == "__main__":
    unittest.main()
