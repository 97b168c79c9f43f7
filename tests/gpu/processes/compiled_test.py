"""What compilers made travels from one worker to the next as an archive."""

import os
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "gpu/processes"))

import compiled  # noqa: E402


def framed(record):
    return compiled.length_of(record) + record


class compiled_test(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def at(self, name):
        return mock.patch.dict(os.environ,
                               {x: str(self.folder / name / x) for x in compiled.FOLDERS})

    def write(self, name, path, content):
        file = self.folder / name / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        return file

    def test_files_come_back_as_they_were(self):
        file = self.write("a", "TORCH_EXTENSIONS_DIR/x/x.so", b"code")
        file.chmod(0o755)
        os.utime(file, ns=(1, 1_700_000_000_123_456_789))
        self.write("a", "TRITON_CACHE_DIR/k/k.cubin", b"")
        with self.at("a"):
            archive = compiled.Compiled().pack(1000)
        with self.at("b"):
            worker = compiled.Compiled()
            worker.unpack(framed(archive))
            self.assertEqual(b"", worker.pack(1000), "nothing is new")
        back = self.folder / "b/TORCH_EXTENSIONS_DIR/x/x.so"
        self.assertEqual(b"code", back.read_bytes())
        self.assertEqual(0o755, back.stat().st_mode & 0o777)
        self.assertEqual(1_700_000_000_123_456_789, back.stat().st_mtime_ns)
        self.assertTrue((self.folder / "b/TRITON_CACHE_DIR/k/k.cubin").exists())

    def test_only_what_is_new_is_packed_and_later_records_count(self):
        self.write("a", "TRITON_CACHE_DIR/one", b"1")
        with self.at("a"):
            first = compiled.Compiled().pack(1000)
        with self.at("b"):
            worker = compiled.Compiled()
            worker.unpack(framed(first))
            self.write("b", "TRITON_CACHE_DIR/one", b"changed")
            self.write("b", "TRITON_CACHE_DIR/two", b"2")
            second = worker.pack(1000)
        with self.at("c"):
            compiled.Compiled().unpack(framed(first) + framed(second))
        self.assertEqual(b"changed", (self.folder / "c/TRITON_CACHE_DIR/one").read_bytes())
        self.assertEqual(b"2", (self.folder / "c/TRITON_CACHE_DIR/two").read_bytes())

    def test_locks_links_and_what_is_too_much_stay_behind(self):
        self.write("a", "TORCH_EXTENSIONS_DIR/x/lock", b"")
        self.write("a", "TORCHINDUCTOR_CACHE_DIR/locks/abc.lock", b"")
        os.symlink("/etc/passwd", self.folder / "a/TORCH_EXTENSIONS_DIR/x/passwd")
        with self.at("a"):
            self.assertEqual(b"", compiled.Compiled().pack(1000))
            self.write("a", "TRITON_CACHE_DIR/large", b"x" * 2000)
            self.assertEqual(b"", compiled.Compiled().pack(1000))

    def test_of_too_much_the_folders_come_along_that_were_written_last(self):
        for i, name in enumerate(("old", "large", "new", "newer")):
            for half in ("a", "b"):
                size = 400 if name == "large" else 100
                file = self.write("a", f"TRITON_CACHE_DIR/{name}/{half}", b"x" * size)
                os.utime(file, (i, i))
        with self.at("a"):
            archive = compiled.Compiled().pack(500)
        with self.at("b"):
            compiled.Compiled().unpack(framed(archive))
        there = sorted(str(x.relative_to(self.folder / "b/TRITON_CACHE_DIR"))
                       for x in (self.folder / "b").rglob("?"))
        self.assertEqual(["new/a", "new/b", "newer/a", "newer/b"], there)

    def test_what_triton_wrote_on_the_way_stays_behind(self):
        for suffix in ("source", "ttir", "ttgir", "llir", "ptx", "cubin", "json"):
            self.write("a", f"TRITON_CACHE_DIR/k/kernel.{suffix}", b"text")
        with self.at("a"):
            archive = compiled.Compiled().pack(1000)
        with self.at("b"):
            compiled.Compiled().unpack(framed(archive))
        there = {x.suffix for x in (self.folder / "b").rglob("kernel.*")}
        self.assertEqual({".ptx", ".cubin", ".json"}, there)

    def test_what_is_broken_is_left_out(self):
        self.write("a", "TRITON_CACHE_DIR/one", b"1")
        with self.at("a"):
            good = framed(compiled.Compiled().pack(1000))
        broken = (b"nonsense", good[:-1], b"\xff" * 50, framed(b"zz"))
        for text in broken:
            with self.at("b"):
                compiled.Compiled().unpack(good + text)
            self.assertTrue((self.folder / "b/TRITON_CACHE_DIR/one").exists())

    def test_no_more_is_unpacked_than_there_is_room_for(self):
        self.write("a", "TRITON_CACHE_DIR/one", b"1" * 500)
        with self.at("a"), mock.patch.object(compiled, "MOST_UNPACKED", 400):
            archive = framed(compiled.Compiled().pack(1000))
            with self.at("b"):
                compiled.Compiled().unpack(archive)
        self.assertFalse((self.folder / "b/TRITON_CACHE_DIR/one").exists())

    def test_nothing_is_written_outside(self):
        for path in ("../outside", "/tmp/outside", "a/../../outside"):
            with self.assertRaises(ValueError):
                compiled.inside(path)


if __name__ == "__main__":
    sys.exit(unittest.main())
