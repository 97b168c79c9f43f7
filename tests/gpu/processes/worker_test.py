"""The worker's requests, asked without a process around it."""

import ast
import logging
import os
import sys
import types
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, sys.argv.pop(1))  # the folder of the evaluation processes

import devices  # noqa: E402
import inputs  # noqa: E402
import integrity  # noqa: E402
import torch  # noqa: E402
import values  # noqa: E402
import worker  # noqa: E402
from inputs import laid_out  # noqa: E402


class WatchedNames(unittest.TestCase):
    """Whatever these modules ask of tensors could be replaced by code of a candidate's."""

    # Of modules, types and classes of their own, and what only a reference or a probe is asked.
    OTHERS = {"add_", "cuda", "double", "item", "itemsize", "mul_", "name", "prod", "size", "sum",
              "type", "values"}

    def test_all_that_is_asked_of_tensors_is_watched(self) -> None:
        watched = set(integrity.TORCH[torch.Tensor].split())
        for module in (devices, inputs, integrity, values, worker):
            tree = ast.parse(Path(str(module.__file__)).read_text())
            asked = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)
                     and not (isinstance(node.value, ast.Name) and node.value.id in vars(module))
                     and hasattr(torch.Tensor, node.attr) and not node.attr.startswith("__")}
            self.assertEqual(asked - watched - self.OTHERS, set(), module.__name__)


class Logs(unittest.TestCase):
    def test_what_torch_says_of_a_missing_gpu_is_not_told_with_a_build(self) -> None:
        logger = logging.getLogger("torch.utils.cpp_extension")
        worker.leave_out_logs()
        with self.assertLogs(logger) as seen:
            logger.warning("No CUDA runtime is found, using CUDA_HOME='%s'", "/usr/local/cuda")
            logger.warning("another")
        self.assertEqual([x.getMessage() for x in seen.records], ["another"])


class Inputs(unittest.TestCase):
    """Those that come while calls are timed go where room was made for them."""

    def setUp(self) -> None:
        self.worker = worker.Worker("cpu")

    def give(self, name: str, inputs: list[Any]) -> list[Any]:
        fd, _ = values.make_file(inputs)
        self.worker.keep_inputs({"name": name}, [fd])
        os.close(fd)
        return self.worker.inputs[name]

    def reserve(self, name: str, *others: str) -> list[int]:
        self.worker.reserve({"inputs": name, "names": list(others)}, [])
        return [self.worker.inputs[other][0].data_ptr() for other in others]

    def test_they_take_no_new_memory(self) -> None:
        self.give("c0", [torch.ones(300), 7])
        places = self.reserve("c0", "t0", "t1")
        for name, place, value in zip(("t0", "t1"), places, (2.0, 3.0)):
            inputs = self.give(name, [torch.full((300,), value), 8])
            self.assertEqual(inputs[0].data_ptr(), place)
            self.assertTrue(torch.equal(inputs[0], torch.full((300,), value)))
            self.assertEqual(inputs[1], 8)

    def test_room_that_is_there_is_not_made_again(self) -> None:
        self.give("c0", [torch.ones(300)])
        place, = self.reserve("c0", "t0")
        self.give("t0", [torch.zeros(300)])
        again, more = self.reserve("c0", "t0", "t1")
        self.assertEqual(again, place)
        self.assertNotEqual(more, place)
        self.assertEqual(self.worker.inputs["t0"][0].sum().item(), 0)

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
        places = self.reserve("c0", "t0")
        inputs = self.give("t0", [torch.ones(400), torch.ones(5, dtype=torch.int64)])
        self.assertNotIn(inputs[0].data_ptr(), places)
        self.assertEqual([len(x) for x in inputs], [400, 5])
        self.assertEqual(inputs[1].dtype, torch.int64)


class TimedInputs(unittest.TestCase):
    """What a block of timed calls gets."""

    def test_inputs_of_the_same_shapes_come_at_the_same_addresses(self) -> None:
        first, second = [torch.ones(300), 7], [torch.zeros(300), 8]
        (one, copied), (two, again) = laid_out([first, second])
        self.assertEqual(one[0].data_ptr(), two[0].data_ptr())
        self.assertEqual((one[1], two[1]), (7, 8))
        for memory, pristine, arguments in ((copied, first, one), (again, second, two)):
            ((target, source, size),) = memory
            self.assertEqual((target, source, size),
                             (arguments[0].data_ptr(), pristine[0].data_ptr(), 1200))

    def test_the_task_s_own_tensors_are_not_handed_out(self) -> None:
        pristine = [torch.ones(300)]
        ((arguments, _),) = laid_out([pristine])
        self.assertNotEqual(arguments[0].data_ptr(), pristine[0].data_ptr())

    def test_inputs_of_other_shapes_have_memory_of_their_own(self) -> None:
        calls = laid_out([[torch.ones(300)], [torch.ones(30, 10)], [torch.ones(0)]])
        (flat, _), (square, _), (empty, nothing) = calls
        self.assertNotEqual(flat[0].data_ptr(), square[0].data_ptr())
        self.assertEqual(square[0].shape, (30, 10))
        self.assertEqual((empty[0].numel(), nothing), (0, []))

    def test_nested_inputs_keep_their_structure(self) -> None:
        ((arguments, memory),) = laid_out([[{"a": torch.ones(2)}, (torch.ones(3), None)]])
        self.assertEqual(arguments[0]["a"].shape, (2,))
        self.assertEqual((arguments[1][0].shape, arguments[1][1]), ((3,), None))
        self.assertEqual([size for _, _, size in memory], [8, 12])


class Drawing(unittest.TestCase):
    """On the device where that is asked for, and where the inputs' own code lets it be."""

    def draw(self, get_inputs: Callable[[], list[Any]], device: str,
             on_device: bool = True) -> tuple[bool, list[Any]]:
        one = worker.Worker("cpu")
        one.module = types.ModuleType("task")
        one.module.get_inputs = get_inputs  # type: ignore[attr-defined]
        one.device.as_default = lambda: torch.device(device)  # type: ignore[attr-defined]
        reply = one.draw({"seed": 3, "name": "c0", "on_device": on_device}, [])
        inputs = values.read(one.made[0])
        os.close(one.made[0])
        self.assertEqual(len(one.made), 1)
        self.kept = one.inputs["c0"]
        self.assertTrue(all(values.same_bytes(a, b) for a, b in zip(
            values.tensors_of(self.kept), values.tensors_of(inputs), strict=True)))
        return reply["on_device"], inputs

    def test_tensors_are_made_on_the_default_device(self) -> None:
        where: list[torch.Tensor] = []

        def get_inputs() -> list[Any]:
            where.append(torch.ones(1))
            return [torch.rand(3)]

        drawn, inputs = self.draw(get_inputs, "cpu")
        self.assertTrue(drawn)
        self.draw(get_inputs, "meta")
        self.assertEqual([x.device.type for x in where], ["cpu", "meta", "cpu"])
        torch.manual_seed(3)
        self.assertTrue(torch.equal(inputs[0], torch.rand(3)))

    def test_who_wants_the_host_gets_what_the_seed_says(self) -> None:
        def get_inputs() -> list[Any]:
            return [torch.rand(3), torch.from_numpy(torch.rand(2).numpy())]

        drawn, inputs = self.draw(get_inputs, "meta")
        self.assertFalse(drawn)
        torch.manual_seed(3)
        for x, size in zip(inputs, (3, 2), strict=True):
            self.assertTrue(torch.equal(x, torch.rand(size)))

    def test_what_is_kept_is_what_a_file_would_hold(self) -> None:
        base = torch.rand(2, 3, 4, 4).to(memory_format=torch.channels_last)
        self.draw(lambda: [base, {"a": base[0], "b": (2, None, 0.5)}], "cpu")
        image, named = self.kept
        self.assertTrue(image.is_contiguous())
        self.assertNotEqual(image.data_ptr(), named["a"].data_ptr())
        self.assertEqual(named["b"], (2, None, 0.5))

    def test_nobody_is_asked_unless_the_request_says_so(self) -> None:
        drawn, _ = self.draw(lambda: [torch.rand(3)], "meta", on_device=False)
        self.assertFalse(drawn)


class Calling(unittest.TestCase):
    def test_a_call_begins_when_its_arguments_are_there(self) -> None:
        happened: list[str] = []

        class Slow(devices.Cpu):
            def poison(self, size: int) -> None:
                happened.append("poisoned")

            def settle(self) -> None:
                happened.append("settled")

        def model(x: torch.Tensor) -> torch.Tensor:
            happened.append("called")
            return x

        Slow().call_poisoned(model, [torch.ones(1)], 4)
        self.assertEqual(happened, ["poisoned", "settled", "called"])


class Correcting(unittest.TestCase):
    """What a float64 run adds to the answer."""

    def test_added_to_the_answer_it_gives_the_float64_run_s(self) -> None:
        one = worker.Worker("cpu")
        one.module = types.ModuleType("task")
        one.class_name = "Model"
        one.module.Model = lambda: torch.nn.Linear(40, 3)  # type: ignore[attr-defined]
        nothing, _ = values.make_file([])
        one.construct({"seed": 1}, [nothing])
        one.inputs.copy("c0", [torch.rand(500, 40)], values.in_host_memory)
        one.run({"inputs": "c0", "remember": True}, [])
        one.correct({"inputs": "c0"}, [])
        answer, correction = (values.read(fd) for fd in one.made)
        for fd in (nothing, *one.made):
            os.close(fd)
        self.assertEqual(correction.dtype, torch.bfloat16)
        exact = one.exact_model(one.inputs["c0"][0].double()).detach()
        left = (answer.double() + correction.double() - exact).abs().max()
        self.assertLess(left, 0.01 * (answer - exact).abs().max())

    def test_it_has_the_form_of_the_answer(self) -> None:
        rounded = (torch.ones(2), {"n": torch.tensor([3]), "z": torch.ones(2) * 1j, "x": 0.1})
        exact = (torch.ones(2).double() / 3, {"n": torch.tensor([3]),
                                              "z": (torch.ones(2) * 1j).to(torch.complex128),
                                              "x": 0.1000001})
        thirds, named = values.difference(exact, rounded)
        self.assertTrue(torch.equal(thirds, torch.full((2,), -2 / 3, dtype=torch.bfloat16)))
        self.assertEqual((named["n"].dtype, named["n"].item()), (torch.int64, 0))
        self.assertEqual((named["z"].dtype, named["x"]), (torch.complex64, 0.1))

    def test_another_form_is_refused(self) -> None:
        with self.assertRaisesRegex(ValueError, "another form"):
            values.difference(torch.ones(2).double(), torch.ones(3))


class Trimming(unittest.TestCase):
    def test_inputs_that_are_not_named_are_forgotten(self) -> None:
        one = worker.Worker("cpu")
        for name in ("c0", "c3"):
            fd, _ = values.make_file([torch.ones(3)])
            one.keep_inputs({"name": name}, [fd])
            os.close(fd)
        self.assertEqual(one.trim({"inputs": ["c3"]}, []), one.device.memory())
        self.assertEqual(list(one.inputs.named), ["c3"])

    def test_a_model_takes_the_last_one_s_inputs_along(self) -> None:
        one = worker.Worker("cpu")
        one.module = types.ModuleType("task")
        one.class_name = "Model"
        one.module.Model = torch.nn.Identity  # type: ignore[attr-defined]
        fd, _ = values.make_file([])
        one.keep_inputs({"name": "c0"}, [fd])
        one.construct({"seed": 1}, [fd])
        os.close(fd)
        self.assertEqual(one.inputs.named, {})


if __name__ == "__main__":
    unittest.main()
