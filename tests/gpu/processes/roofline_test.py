"""What is counted of a call, and what is found to be needed, for models whose needs are plain."""

import copy
import sys
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import torch.nn as nn
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "gpu" / "processes"))

import roofline  # noqa: E402

SIDE = 128
WHOLE = SIDE * SIDE * 4  # [bytes]
NEARLY = 0.9  # two values may have one hash


class Call(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, *arguments: Any) -> Any:
        return self.function(*arguments)


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*(shape or (SIDE, SIDE)))


def count(model: nn.Module, *arguments: torch.Tensor) -> dict[str, Any]:
    return roofline.count(model.eval(), list(arguments))


class Counted(unittest.TestCase):
    def test_a_layer_reads_its_weights_and_multiplies_by_them(self) -> None:
        found = count(nn.Sequential(nn.Linear(64, 256), nn.ReLU()), noise(32, 64))
        self.assertEqual(found, {"operations": 2 * 32 * 64 * 256, "input_bytes": 32 * 64 * 4,
                                 "parameter_bytes": (64 * 256 + 256) * 4,
                                 "output_bytes": 32 * 256 * 4, "narrow": False})

    def test_convolutions_and_attention_are_counted(self) -> None:
        found = count(nn.Conv2d(3, 16, 3, padding=1), noise(2, 3, 8, 8))
        self.assertEqual(found["operations"], 2 * 2 * 16 * 3 * 9 * 64)
        found = count(Call(F.scaled_dot_product_attention), *(noise(1, 2, 16, 8) for _ in "qkv"))
        self.assertEqual(found["operations"], 2 * 2 * 2 * 16 * 16 * 8)

    def test_of_a_table_only_the_rows_that_are_looked_up_count(self) -> None:
        found = count(nn.Embedding(1000, 8), torch.arange(5))
        self.assertEqual(found["parameter_bytes"], 5 * 8 * 4)

    def test_parts_of_one_weight_count_once_each(self) -> None:
        weight = nn.Parameter(noise(8, 12))
        model = Call(lambda x: [x @ part for part in (*weight.chunk(3, 1), weight[:, :4])])
        model.weight = weight
        self.assertEqual(count(model, noise(2, 8))["parameter_bytes"], 8 * 12 * 4)

    def test_views_of_inputs_are_not_written_and_what_is_not_looked_at_is_not_read(self) -> None:
        found = count(Call(lambda x: (x.t(), x[:, 0] + 1)), noise(4, 6))
        self.assertEqual((found["input_bytes"], found["output_bytes"]), (16, 16))

    def test_half_types_are_noticed(self) -> None:
        self.assertTrue(count(nn.Linear(8, 8).bfloat16(), noise(8, 8).bfloat16())["narrow"])

    def test_a_call_without_products_has_no_operations(self) -> None:
        self.assertEqual(count(Call(torch.relu), noise())["operations"], 0)

    def test_torchs_compiler_stays_where_it_is(self) -> None:
        """It takes seconds to import, for every task."""
        self.assertNotIn("torch._dynamo", sys.modules)


@mock.patch.object(roofline, "PROBED_BYTES", 0)
@mock.patch.object(roofline, "BUCKETS", 20)
class Needed(unittest.TestCase):
    def needs(self, function: Any, make: Any = lambda: [noise()]) -> tuple[float, float]:
        """Returns shares of one whole matrix: read, written."""
        model = function if isinstance(function, nn.Module) else Call(function)
        exact = copy.deepcopy(model).double()
        with torch.no_grad():
            found = roofline.needs(
                model, lambda inputs: model(*(x.clone() for x in inputs)),
                lambda inputs: exact(*(x.double() if x.is_floating_point() else x for x in inputs)),
                make(), make())
        return found["read"] / WHOLE, found["written"] / WHOLE

    def assert_needs(self, found: tuple[float, float], read: bool, written: bool) -> None:
        for share, needed in zip(found, (read, written)):
            self.assertTrue(NEARLY < share <= 1 if needed else share == 0, found)

    def test_elementwise_work_needs_all_of_both(self) -> None:
        self.assert_needs(self.needs(torch.tanh), True, True)
        self.assert_needs(self.needs(nn.LayerNorm(SIDE)), True, True)
        self.assert_needs(self.needs(lambda x: x.softmax(1)), True, True)

    def test_a_sum_writes_nearly_nothing(self) -> None:
        read, written = self.needs(lambda x: x.sum(1))
        self.assertGreater(read, NEARLY)
        self.assertLess(written, 0.01)

    def test_outputs_that_may_be_views_are_not_written(self) -> None:
        for function in (lambda x: x, lambda x: x.t(), lambda x: x.unfold(1, 16, 1),
                         lambda x: x[:, ::2], torch.relu, lambda x: torch.cat([x, x])):
            self.assertLess(self.needs(function)[1], 0.001)  # relu makes zeros
        expanded = self.needs(lambda x: x.sum(1, keepdim=True).expand(SIDE, SIDE))
        self.assertEqual(expanded[1], 0)
        overlapping = self.needs(lambda x: (x * 2).unfold(1, 16, 1))
        self.assertLessEqual(overlapping[1], 1)

    def test_inputs_that_do_not_matter_are_not_read(self) -> None:
        for function in (lambda x: x[:, -1] * 2, torch.triu, lambda x: x * 0,
                         lambda x: x.unsqueeze(0).softmax(0), lambda x: x.max(1).values):
            self.assertEqual(self.needs(function)[0], 0)

    def test_an_input_that_only_rounding_sees_is_not_read(self) -> None:
        make = lambda: [noise(), noise(SIDE, 1).expand(SIDE, SIDE).contiguous()]
        self.assert_needs(self.needs(lambda x, y: (x + y).softmax(1), make), True, True)

    def test_what_a_mask_hides_by_the_draw_is_not_read(self) -> None:
        make = lambda: [noise(), (torch.rand(SIDE, SIDE) > 0.5).float()]
        self.assertEqual(self.needs(lambda x, mask: x * mask, make)[0], 0)

    def test_inputs_that_follow_from_less_are_not_read(self) -> None:
        for make in (lambda: [noise(SIDE, 1).expand(SIDE, SIDE).contiguous()],
                     lambda: [noise(1, SIDE).expand(SIDE, SIDE).contiguous()],
                     lambda: [noise(SIDE, 1) + torch.arange(SIDE)],
                     lambda: [noise(1) * torch.arange(SIDE * SIDE)],
                     lambda: [torch.ones(SIDE, SIDE)],
                     lambda: [noise(SIDE, 2) @ noise(2, SIDE)],
                     lambda: [torch.diag(noise(SIDE))]):
            self.assertEqual(self.needs(torch.tanh, make)[0], 0)

    def test_the_same_input_twice_is_read_once(self) -> None:
        def make() -> list[torch.Tensor]:
            x = noise()
            return [x, x.clone()]

        self.assertLessEqual(self.needs(lambda x, y: x + 2 * y, make)[0], 1)

    def test_draws_that_are_all_alike_say_nothing(self) -> None:
        fixed = noise()
        self.assertEqual(self.needs(torch.tanh, lambda: [fixed.clone()]), (0, 0))

    def test_half_types_and_integers_hold_too_few_values_to_tell(self) -> None:
        self.assertEqual(self.needs(torch.tanh, lambda: [noise().bfloat16()]), (0, 0))
        self.assertEqual(self.needs(lambda x: x + 1, lambda: [torch.randint(9, (SIDE, SIDE))]),
                         (0, 0))

    def test_a_model_that_rolls_dice_says_nothing(self) -> None:
        self.assertEqual(self.needs(lambda x: F.dropout(x, 0.5))[0], 0)

    def test_what_takes_too_long_is_not_found_out(self) -> None:
        with mock.patch.object(roofline, "PROBE_SECONDS", 0):
            self.assertEqual(self.needs(torch.tanh)[0], 0)


class Peaks(unittest.TestCase):
    def test_every_rate_is_measured(self) -> None:
        torch.set_num_threads(1)
        found = roofline.peaks("cpu", lambda: None, 1 << 20, 0)
        self.assertEqual(set(found), {"bandwidth", "reading", "cached", "float32", "tf32", "half"})
        self.assertTrue(all(rate > 0 for rate in found.values()), found)


if __name__ == "__main__":
    unittest.main()
