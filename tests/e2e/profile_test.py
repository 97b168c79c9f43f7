"""`lathe profile` and `lathe eval --profile`: what bounds a model, on a CPU."""

import unittest

from lathe_case import DONE, LatheCase, NOT_BETTER, USER_MISTAKE
from programs import FASTER, TASK

PRODUCT = '''import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.layer = nn.Linear(features, features)

    def forward(self, x):
        return self.layer(x)


def get_inputs():
    return [torch.randn(256, 512)]


def get_init_inputs():
    return [512]
'''


class Profile(LatheCase):
    def test_the_model_itself_is_profiled_where_no_candidate_is_named(self) -> None:
        self.write("task.py", PRODUCT)
        ended = self.lathe("profile", "task.py", "--svg", "profile.svg")
        self.assert_code(ended, DONE)
        self.assertIn("this call: ", (self.folder / "profile.svg").read_text())
        where, bound, moves = ended.out.splitlines()[:3]
        self.assertRegex(where, "^cpu, 1 thread")
        self.assertRegex(bound, r"^compute-bound: products take \d+ % of the time: 134 Mop in ")
        self.assertRegex(moves, "^  usual moves: compute less")
        self.assertRegex(ended.out, r"\n +\d+ %  \S+ ms in 1 call  aten::addmm ")
        self.assertLess(len(ended.out), 2000, "it goes into prompts")

    def test_a_wrong_candidate_gets_its_verdict(self) -> None:
        self.write("task.py", TASK)
        self.write("wrong.py", FASTER.replace("torch.tanh(x)", "x"))
        ended = self.lathe("profile", "task.py", "wrong.py")
        self.assert_code(ended, NOT_BETTER)
        self.assertRegex(ended.out, "^incorrect   output 0: ")

    def test_mistakes_get_a_sentence(self) -> None:
        ended = self.lathe("profile", "missing.py")
        self.assert_code(ended, USER_MISTAKE)
        self.assertIn("missing.py", ended.err)
        self.write("task.py", PRODUCT)
        ended = self.lathe("profile", "task.py", "--svg", "nowhere/profile.svg")
        self.assert_code(ended, USER_MISTAKE)
        self.assertIn("nowhere/profile.svg", ended.err)


class Beside(LatheCase):
    def test_a_candidate_is_profiled_for_programs_too(self) -> None:
        self.write("task.py", TASK)
        self.write("faster.py", FASTER)
        ended = self.lathe("profile", "task.py", "faster.py", "--json")
        self.assert_code(ended, DONE)
        self.assertEqual("correct", ended.json["outcome"])
        self.assertGreater(ended.json["call_ms"], 0)
        self.assertIn("moves", ended.json["bounds"][0])
        self.assertIn("aten::", ended.json["kernels"][0]["name"])

    def test_eval_says_it_beside_the_verdict(self) -> None:
        self.write("task.py", PRODUCT)
        self.write("same.py", PRODUCT.replace("class Model(", "class ModelNew("))
        ended = self.lathe("eval", "task.py", "same.py", "--profile", "--json")
        verdict = ended.json["verdicts"][0]
        self.assertRegex(verdict["profile"], "^compute-bound: ")
        self.assertIn("profile", [x["stage"] for x in verdict["stages"]])

    def test_the_devices_peaks_can_be_measured_again(self) -> None:
        ended = self.lathe("device", "calibrate", "--json")
        self.assert_code(ended, DONE)
        self.assertGreater(ended.json["peaks"]["float32"], 1e8)


if __name__ == "__main__":
    unittest.main()
