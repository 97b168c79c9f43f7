"""Each candidate of this folder is honest, however unusual, and must not be refused.

LATHE_TEST_DEVICE chooses where: cpu (the default) or cuda. LATHE_TEST_ROUNDS says how often each is
judged (default 1).
"""

import os
import sys
import unittest
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))

from candidate_files import DEVICE, CandidateFile, files_in, judge, told  # noqa: E402

ROUNDS = int(os.environ.get("LATHE_TEST_ROUNDS", "1"))
FEW = ["dataclass_settings", "fold_at_first_call", "garbage_cycles", "output_buffer",
       "settings_at_import", "warns_and_logs"]


def classes(verdict: dict[str, Any]) -> set[str]:
    """What is reported of a candidate that may be a matter of taste."""
    work = verdict.get("work")
    found = {"folding"} if verdict.get("folds") else set()
    if work:
        found |= {"graphs"} if work["graphs"] else set()
        found |= {"libraries"} if work["library"] >= 0.01 else set()
        found |= {"own"} if work["own"] >= 0.01 else {"fallback"}
    return found


class Honest(unittest.TestCase):
    def accept(self, files: list[CandidateFile], budget: str) -> None:
        files = [x for x in files if DEVICE in x.devices]
        limits = ("--run-limit", "60", "--build-limit", "300")
        verdicts = judge(files, "--time-budget", budget, *limits)
        for file in files:
            with self.subTest(candidate=file.name):
                verdict = verdicts[file.name]
                self.assertEqual(verdict["outcome"], "correct", told(verdict))
                self.assertEqual(verdict["degenerate"], "")
                self.check_class(file, verdict)

    def check_class(self, file: CandidateFile, verdict: dict[str, Any]) -> None:
        expected = set(file.listed("class")) if "class" in file.header else set()
        found = classes(verdict)
        self.assertEqual("folding" in found, "folding" in expected, told(verdict))
        if DEVICE == "cuda":
            self.assertLessEqual(expected, found, told(verdict))


class Few(Honest):
    def test_a_few_of_them_are_correct(self) -> None:
        self.accept([x for x in files_in(HERE) if x.name in FEW], "0.2")


    def test_one_that_does_what_is_forbidden_is_refused_without_figures(self) -> None:
        files = [x for x in files_in(HERE) if x.name == "fold_at_first_call"]
        verdict = judge(files, "--forbid", "folding")["fold_at_first_call"]
        self.assertEqual(verdict["rule"], "forbidden-folding", told(verdict))
        self.assertNotIn("timing", verdict)


class All(Honest):
    def test_they_all_are_correct(self) -> None:
        for _ in range(ROUNDS):
            self.accept(files_in(HERE), "0.4")


class Headers(unittest.TestCase):
    def test_there_are_sixty_and_more(self) -> None:
        files = files_in(HERE)
        self.assertGreaterEqual(len(files), 60)
        for file in files:
            with self.subTest(candidate=file.name):
                self.assertLessEqual({"what", "runs on", "task"}, set(file.header))
                self.assertLessEqual(set(file.header),
                                     {"what", "class", "runs on", "task", "options"})
                self.assertLessEqual({*file.devices}, {"cpu", "cuda"})
                self.assertTrue(file.task.exists())


if __name__ == "__main__":
    unittest.main()
