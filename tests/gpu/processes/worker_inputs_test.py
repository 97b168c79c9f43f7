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


class TimedInputs(unittest.TestCase):
    """What a block of timed calls gets."""

    def test_inputs_of_the_same_shapes_come_at_the_same_addresses(self) -> None:
        first, second = [torch.ones(300), 7], [torch.zeros(300), 8]
        (one, copied), (two, again) = worker.laid_out([first, second])
        self.assertEqual(one[0].data_ptr(), two[0].data_ptr())
        self.assertEqual((one[1], two[1]), (7, 8))
        for memory, pristine, arguments in ((copied, first, one), (again, second, two)):
            ((target, source, size),) = memory
            self.assertEqual((target, source, size),
                             (arguments[0].data_ptr(), pristine[0].data_ptr(), 1200))

    def test_the_task_s_own_tensors_are_not_handed_out(self) -> None:
        pristine = [torch.ones(300)]
        ((arguments, _),) = worker.laid_out([pristine])
        self.assertNotEqual(arguments[0].data_ptr(), pristine[0].data_ptr())

    def test_inputs_of_other_shapes_have_memory_of_their_own(self) -> None:
        calls = worker.laid_out([[torch.ones(300)], [torch.ones(30, 10)], [torch.ones(0)]])
        (flat, _), (square, _), (empty, nothing) = calls
        self.assertNotEqual(flat[0].data_ptr(), square[0].data_ptr())
        self.assertEqual(square[0].shape, (30, 10))
        self.assertEqual((empty[0].numel(), nothing), (0, []))

    def test_nested_inputs_keep_their_structure(self) -> None:
        ((arguments, memory),) = worker.laid_out([[{"a": torch.ones(2)}, (torch.ones(3), None)]])
        self.assertEqual(arguments[0]["a"].shape, (2,))
        self.assertEqual((arguments[1][0].shape, arguments[1][1]), ((3,), None))
        self.assertEqual([size for _, _, size in memory], [8, 12])


class Trimming(unittest.TestCase):
    def test_inputs_that_are_not_named_are_forgotten(self) -> None:
        one = worker.Worker("cpu")
        for name in ("c0", "c3"):
            fd, _ = values.make_file([torch.ones(3)])
            one.keep_inputs({"name": name}, [fd])
            os.close(fd)
        self.assertEqual(one.trim({"inputs": ["c3"]}, []), {})
        self.assertEqual(list(one.inputs), ["c3"])


if __name__ == "__main__":
    unittest.main()
