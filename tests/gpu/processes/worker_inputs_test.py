"""Inputs that come while calls are timed: they go where room was made for them."""

import os
import sys
import unittest
from typing import Any

sys.path.insert(0, sys.argv.pop(1))  # the folder of the evaluation processes

import torch  # noqa: E402
import values  # noqa: E402
import worker  # noqa: E402


class Inputs(unittest.TestCase):
    def setUp(self) -> None:
        self.worker = worker.Worker("cpu")

    def give(self, name: str, inputs: list[Any]) -> list[Any]:
        fd, _ = values.make_file(inputs)
        self.worker.keep_inputs({"name": name}, [fd])
        os.close(fd)
        return self.worker.pristine(name)

    def reserve(self, name: str, count: int) -> list[int]:
        self.worker.reserve({"inputs": name, "count": count}, [])
        return [room[0].data_ptr() for room in self.worker.spare]

    def test_they_take_no_new_memory(self) -> None:
        self.give("c0", [torch.ones(300), 7])
        places = self.reserve("c0", 2)
        for name, value in (("t0", 2.0), ("t1", 3.0)):
            inputs = self.give(name, [torch.full((300,), value), 8])
            self.assertIn(inputs[0].data_ptr(), places)
            self.assertTrue(torch.equal(inputs[0], torch.full((300,), value)))
            self.assertEqual(inputs[1], 8)

    def test_who_comes_again_stays_in_place(self) -> None:
        before = self.give("t0", [torch.ones(300)])[0].data_ptr()
        again = self.give("t0", [torch.zeros(300)])[0]
        self.assertEqual(again.data_ptr(), before)
        self.assertEqual(again.sum().item(), 0)

    def test_others_are_private_as_before(self) -> None:
        first = self.give("c0", [torch.ones(300)])[0]
        second = self.give("c1", [torch.zeros(300)])[0]
        self.assertNotEqual(first.data_ptr(), second.data_ptr())
        self.assertEqual(first.sum().item(), 300)

    def test_what_does_not_fit_gets_memory_of_its_own(self) -> None:
        self.give("c0", [torch.ones(300)])
        places = self.reserve("c0", 1)
        inputs = self.give("t0", [torch.ones(400), torch.ones(5, dtype=torch.int64)])
        self.assertNotIn(inputs[0].data_ptr(), places)
        self.assertEqual([len(x) for x in inputs], [400, 5])
        self.assertEqual(inputs[1].dtype, torch.int64)


if __name__ == "__main__":
    unittest.main()
