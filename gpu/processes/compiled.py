"""What compilers made for a candidate, as an archive for later workers to begin with.

An archive is any number of records, each after its length, eight bytes, which `lathe` writes. A
record is a zlib stream: a header's length, the header, JSON ([[folder, path, mode, modified in ns,
size], ...]), and the bytes of those files one after the other. A later record's file takes the place
of an earlier one's.
"""

from __future__ import annotations

import json
import os
import stat
import zlib
from collections.abc import Iterator

# Where compilers keep what they made, by the variable that tells them.
FOLDERS = ("TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR", "TORCH_EXTENSIONS_DIR", "CUDA_CACHE_PATH")
LENGTH = 8
MOST_UNPACKED = 512 << 20  # [bytes] of one archive; /tmp has four times as much
QUICKLY = 1  # zlib's level: what is kept is mostly text

State = tuple[int, int]  # modified [ns], size


class Compiled:
    """The files of one worker's compilers."""

    __slots__ = ("known",)

    def __init__(self) -> None:
        self.known: dict[str, State] = {}  # came out of an archive

    def unpack(self, archive: bytes) -> None:
        """Writes the files. What is broken or cut off is left out: it is compiled again."""
        try:
            left = MOST_UNPACKED
            for packed in records(archive):
                record = zlib.decompressobj().decompress(packed, left + 1)
                left -= len(record)
                if left < 0:
                    return
                self.write(record)
        except (ValueError, TypeError, KeyError, OSError, zlib.error):
            pass

    def write(self, record: bytes) -> None:
        start = LENGTH + int.from_bytes(record[:LENGTH], "little")
        for name, path, mode, modified, size in json.loads(record[LENGTH:start]):
            place = os.path.join(os.environ[FOLDERS[FOLDERS.index(name)]], inside(path))
            os.makedirs(os.path.dirname(place), exist_ok=True)
            with open(place, "wb") as file:
                file.write(record[start : start + size])
            os.chmod(place, mode & 0o777)
            os.utime(place, ns=(modified, modified))  # ninja compares them
            self.known[place] = (modified, size)
            start += size

    def pack(self, most: int) -> bytes:
        """Returns a record of the files that are new; nothing when there are none. Of more than so
        many bytes the folders come along that were written last, each as a whole: a compiler names
        its results when all of them are there."""
        header, contents, left = [], [], most
        for folder in sorted(self.news(), key=lambda x: -max(x.values())[0]):
            size = sum(size for _, size in folder.values())
            if size > left:
                continue
            left -= size
            for (name, place), state in folder.items():
                with open(place, "rb") as file:
                    content = file.read()
                mode = stat.S_IMODE(os.stat(place).st_mode)
                path = os.path.relpath(place, os.environ[name])
                header.append([name, path, mode, state[0], len(content)])
                contents.append(content)
        if not header:
            return b""
        head = json.dumps(header).encode()
        return zlib.compress(b"".join([length_of(head), head, *contents]), QUICKLY)

    def news(self) -> list[dict[tuple[str, str], State]]:
        """Returns the files that are new, by folder."""
        result: dict[str, dict[tuple[str, str], State]] = {}
        for name in FOLDERS:
            for place, state in files(os.environ[name]):
                if self.known.get(place) != state and not on_the_way(name, place):
                    result.setdefault(os.path.dirname(place), {})[name, place] = state
        return list(result.values())


def records(archive: bytes) -> Iterator[bytes]:
    start = 0
    while start + LENGTH <= len(archive):
        end = start + LENGTH + int.from_bytes(archive[start : start + LENGTH], "little")
        if end > len(archive):
            return
        yield archive[start + LENGTH : end]
        start = end


def length_of(content: bytes) -> bytes:
    return len(content).to_bytes(LENGTH, "little")


def on_the_way(name: str, place: str) -> bool:
    """Says whether a file is what a compiler wrote for people before the last of its results."""
    return name == "TRITON_CACHE_DIR" and place.endswith((".source", ".ttir", ".ttgir", ".llir"))


def inside(path: str) -> str:
    if os.path.isabs(path) or ".." in path.split(os.sep):
        raise ValueError(path)
    return path


def files(root: str) -> Iterator[tuple[str, State]]:
    """Yields the plain files below a folder, but for locks: who finds one waits for its owner."""
    for folder, _, names in os.walk(root):
        for name in names:
            place = os.path.join(folder, name)
            found = os.lstat(place)
            if stat.S_ISREG(found.st_mode) and name != "lock" and not name.endswith(".lock"):
                yield place, (found.st_mtime_ns, found.st_size)
