"""Copies between memory files and a device, and blocks of timed calls, through a driver that is made
up: the device's memory is the host's."""

import os
import sys
import unittest

sys.path.insert(0, sys.argv.pop(1))  # the folder of the evaluation processes

import lathe_native  # noqa: E402
import torch  # noqa: E402
import values  # noqa: E402

MEBIBYTE = 1 << 20
# Less than a page, a piece and a thread's share; whole ones; many threads, and a rest.
SIZES = (1, 4096, MEBIBYTE, 16 * MEBIBYTE, 16 * MEBIBYTE + 4160, 50 * MEBIBYTE + 12)
OFFSETS = (0, 64, 4096, 8384)
AFTER = 100  # bytes of the file that come after the tensor


def numbers(count: int) -> torch.Tensor:
    return torch.randint(1, 255, (count,), dtype=torch.uint8)


def content(fd: int) -> torch.Tensor:
    size = os.fstat(fd).st_size
    return torch.from_file(f"/proc/self/fd/{fd}", shared=False, size=size, dtype=torch.uint8)


class Copies(unittest.TestCase):
    def setUp(self) -> None:
        lathe_native.load_driver()
        self.addCleanup(lathe_native.forget_files)

    def file(self, size: int) -> int:
        fd = values.memory_file(size)
        self.addCleanup(os.close, fd)
        return fd

    def test_a_file_has_what_the_device_had_and_nothing_beside(self) -> None:
        for size in SIZES:
            source = numbers(size)
            for offset in OFFSETS if size < 20 * MEBIBYTE else OFFSETS[-1:]:
                fd = self.file(offset + size + AFTER)
                lathe_native.copy_to_file(source.data_ptr(), fd, offset, size, False)
                got = content(fd)
                self.assertTrue(torch.equal(got[offset : offset + size], source), (size, offset))
                self.assertFalse(got[:offset].any() or got[offset + size :].any(), (size, offset))
                values.seal(fd)  # it is not mapped any more
                back = torch.zeros_like(source)
                lathe_native.copy_to_device(fd, offset, size, back.data_ptr())
                self.assertTrue(torch.equal(back, source), (size, offset))

    def test_files_that_come_again_have_what_was_written_last(self) -> None:
        size = 17 * MEBIBYTE
        fds = [self.file(64 + size) for _ in range(3)]
        for turn in range(7):  # two stay mapped
            source = numbers(size)
            fd = fds[turn % len(fds)]
            lathe_native.copy_to_file(source.data_ptr(), fd, 64, size, True)
            self.assertTrue(torch.equal(content(fd)[64:], source), turn)

    def test_a_file_that_may_come_again_stays_mapped_until_it_is_forgotten(self) -> None:
        fd = self.file(5 * MEBIBYTE)
        source = numbers(MEBIBYTE)
        lathe_native.copy_to_file(source.data_ptr(), fd, 0, MEBIBYTE, True)
        with self.assertRaises(OSError):
            values.seal(fd)
        lathe_native.forget_files()
        values.seal(fd)

    def test_what_cannot_be_done_is_an_error(self) -> None:
        here = numbers(8)
        for again in (False, True):
            with self.assertRaises(RuntimeError):
                lathe_native.copy_to_file(here.data_ptr(), -1, 0, 8, again)
        fd = self.file(4)
        with self.assertRaisesRegex(RuntimeError, "cut off"):
            lathe_native.copy_to_device(fd, 0, 8, here.data_ptr())


class TimedCalls(unittest.TestCase):
    """On a device that does nothing and takes no time."""

    def test_a_block_is_called_to_its_end(self) -> None:
        lathe_native.load_driver()
        source, target = numbers(64), numbers(64)
        memory = [(target.data_ptr(), source.data_ptr(), 64)]
        seen: list[int] = []
        calls = [((number,), memory) for number in range(3)]
        ns, after, changed = lathe_native.timed_calls(seen.append, calls, MEBIBYTE, True, False)
        self.assertEqual(seen, [0, 1, 2])
        self.assertEqual((ns, len(after), changed), ([0, 0, 0], 3, False))


if __name__ == "__main__":
    unittest.main()
