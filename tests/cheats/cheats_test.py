"""Each candidate of this folder cheats, and is stopped by the rule that its header names.

LATHE_TEST_DEVICE chooses where: cpu (the default) or cuda.
"""

import subprocess
import sys
import unittest
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent / "support"))

from candidate_files import DEVICE, CandidateFile, files_in, judge, told  # noqa: E402

ROWS = set(range(1, 34))
ON_GPU_ALONE = {3, 23, 24}

# One of each kind of rule.
FEW = ["r02_input_mutation", "r05_tensor_subclass", "r08_lazy_write", "r09_forged_reply",
       "r16_patient_counter", "r21_inherits", "r30_encoded_code", "r32_threads_setting"]

# What "rule:" may say beside the name of a rule.
OUTCOMES = {"incorrect", "crashed", "build_failed", "timed_out", "out_of_memory"}
RIGHT = {
    "harmless": "correct, but not faster than the honest way",
    "allowed": "correct, and whether that is a cheat is up to the task",
    "degenerate": "correct, but the task is marked: it judges nothing",
}


def seen(verdict: dict[str, Any]) -> str:
    """What became of a candidate, in the words of a header."""
    if verdict["outcome"] == "refused":
        return str(verdict["rule"])
    if verdict["outcome"] not in ("correct", "unstable"):
        return str(verdict["outcome"])
    if verdict["degenerate"]:
        return "degenerate"
    # A tie that is told as a win of a few percent is noise; a cheat that works wins by far.
    timing = verdict.get("timing")
    return "harmless" if timing is None or timing["low"] < 1.1 else "allowed"


class Cheats(unittest.TestCase):
    def stop(self, files: list[CandidateFile], budget: str) -> None:
        files = [x for x in files if DEVICE in x.devices]
        verdicts = judge(files, "--time-budget", budget, "--run-limit", "30")
        for file in files:
            with self.subTest(cheat=file.name):
                expected = file.listed("rule", " or ")
                if "allowed" in expected:
                    expected.append("harmless")  # whether it pays depends on the machine
                self.assertIn(seen(verdicts[file.name]), expected, told(verdicts[file.name]))


class Few(Cheats):
    def test_the_evaluator_stops_a_few_of_them(self) -> None:
        self.stop([x for x in files_in(HERE) if x.name in FEW], "0.2")


class All(Cheats):
    def test_the_evaluator_stops_them_all(self) -> None:
        self.stop(files_in(HERE), "0.4")


class Headers(unittest.TestCase):
    def test_there_is_a_cheat_for_every_row(self) -> None:
        files = files_in(HERE)
        self.assertEqual({int(x.header["row"]) for x in files}, ROWS)
        on_cpu = {int(x.header["row"]) for x in files if "cpu" in x.devices}
        self.assertEqual(on_cpu, ROWS - ON_GPU_ALONE)

    def test_headers_are_complete_and_name_rules_that_exist(self) -> None:
        documented = (ROOT / "docs" / "verdicts.md").read_text(encoding="utf-8")
        titles: dict[str, str] = {}
        for file in files_in(HERE):
            with self.subTest(cheat=file.name):
                header = file.header
                self.assertEqual([key for key in header if key != "options"],
                                 ["row", "title", "tries", "rule", "runs on", "task"])
                self.assertTrue(file.name.startswith(f"r{int(header['row']):02}_"))
                self.assertEqual(titles.setdefault(header["row"], header["title"]), header["title"])
                self.assertTrue(file.task.exists())
                self.assertLessEqual({*file.devices}, {"cpu", "cuda"})
                for rule in file.listed("rule", " or "):
                    if rule not in OUTCOMES and rule not in RIGHT:
                        self.assertIn(f"`{rule}`", documented)


class Table(unittest.TestCase):
    def test_the_table_in_the_documentation_is_up_to_date(self) -> None:
        made = subprocess.run([sys.executable, ROOT / "tools" / "cheats_table"],
                              capture_output=True, text=True, check=True).stdout
        committed = (ROOT / "docs" / "cheats.md").read_text(encoding="utf-8")
        self.assertEqual(committed, made, "tools/cheats_table --write makes it anew")


if __name__ == "__main__":
    unittest.main()
