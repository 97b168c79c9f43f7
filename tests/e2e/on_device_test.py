"""The commands on one device: what they need of it beyond verdicts.

LATHE_TEST_DEVICE chooses it: cpu (the default) or cuda.
"""

from __future__ import annotations

import json
import os
import re
import time
import unittest

from lathe_case import DONE, ENVIRONMENT_LACKS, NOT_BETTER, Journal, LatheCase
from programs import FASTER, TASK, UNCHANGED
from topologies import answers, recipes, scripted

DEVICE = os.environ.get("LATHE_TEST_DEVICE", "cpu")
# Slower from some call on: after the first race of a session, and before its last.
SLOWING = TASK.replace("import torch\n", "import time\n\nimport torch\n\ncalls = 0\n", 1).replace(
    "    def forward(self, x):\n",
    "    def forward(self, x):\n"
    "        global calls\n"
    "        calls += 1\n"
    "        end = time.perf_counter() + (0.001 if calls < 600 else 0.0015)\n"
    "        while time.perf_counter() < end:\n"
    "            pass\n", 1)

ON_DEVICE = ["--device", DEVICE, "--time-budget", "0.3"]


class Commands(LatheCase):
    def setUp(self) -> None:
        super().setUp()
        self.write("task.py", TASK)
        self.write("faster.py", FASTER)

    def test_a_run_of_recipes_writes_a_winner_and_its_report(self) -> None:
        self.write("t.yaml", f"{recipes('trace', 'graph')}  device: {DEVICE}\n")
        ended = self.lathe("run", "t.yaml", "--task", "task.py", "--name", "r")
        self.assertIn(ended.code, (DONE, NOT_BETTER), str(ended))
        run = self.folder / "runs" / "r"
        self.assertIn("against: eager", (run / "report.md").read_text())
        answers = [x["answer"] for x in Journal(run).payloads("verdict_received")]
        self.assertEqual({x["outcome"] for x in answers}, {"correct"})

    def test_three_judges_stand_side_by_side(self) -> None:
        ended = self.lathe("eval", "task.py", "faster.py", "--judge", "strict,kernelbench,pike",
                           "--json", *ON_DEVICE)
        self.assert_code(ended, DONE)
        verdict = ended.json["verdicts"][0]
        self.assertEqual([x["judge"] for x in verdict["other_judges"]], ["kernelbench", "pike"])
        for found in (verdict, *verdict["other_judges"]):
            self.assertEqual(found["outcome"], "correct", found)
            self.assertGreater(found["timing"]["speedup"], 0)

    def test_an_audit_tries_trivial_answers(self) -> None:
        ended = self.lathe("eval", "--audit", "task.py", "--device", DEVICE)
        self.assert_code(ended, DONE)
        self.assertEqual(len(re.findall(r"  fails$", ended.out, re.MULTILINE)), 5, ended.out)

    def test_results_are_written_as_kernelbench_does(self) -> None:
        self.write("1_Task.py", TASK)
        self.write("level_1_problem_1_sample_0_kernel.py", FASTER)
        ended = self.lathe("eval", "1_Task.py", "level_1_problem_1_sample_0_kernel.py",
                           "--kernelbench", "results.json", *ON_DEVICE)
        self.assert_code(ended, DONE)
        (sample,) = json.loads((self.folder / "results.json").read_text())["1"]
        self.assertTrue(sample["compiled"] and sample["correctness"], sample)
        self.assertGreater(sample["runtime"], 0)

    def test_baselines_of_torch_compile_stand_beside_eager(self) -> None:
        ended = self.lathe("eval", "task.py", "faster.py", "--baselines", "compile",
                           "--build-limit", "300", "--json=verdicts.json", *ON_DEVICE)
        self.assert_code(ended, DONE)
        self.assertRegex(ended.out, r"against: eager \d+\.\d\dx · torch\.compile \d+\.\d\dx")
        document = json.loads((self.folder / "verdicts.json").read_text())
        times = document["verdicts"][0]["baselines_ms"]
        self.assertEqual(list(times), ["eager", "compile"])
        self.assertGreater(min(times.values()), 0)

    @unittest.skipIf(DEVICE == "cpu", "there both sides are slowed alike")
    def test_a_winner_whose_reference_was_slowed_is_timed_again(self) -> None:
        answers(self, ideas=8)
        self.write("slowing.py", SLOWING)
        self.write("t.yaml", scripted(samples=8).replace(
            "evaluator:\n", f"evaluator:\n  device: {DEVICE}\n"))
        ended = self.lathe("--log-level", "trace", "run", "t.yaml", "--task", "slowing.py",
                           "--name", "r")
        self.assert_code(ended, DONE)
        log = (self.folder / "runs/r/lathe.log").read_text()
        confirmed = re.findall(r"x \[.*\], confirmed", ended.out)
        again = re.findall(r"the reference took [\d.]+ ms, [\d.]+ before; timed once more", log)
        self.assertGreater(len(confirmed), 0, ended.out)
        self.assertEqual(len(again), 2 * len(confirmed), again)

    @unittest.skipIf(DEVICE == "cpu", "it has no kernels that go on when their process stands still")
    def test_a_kernel_that_does_not_end_is_given_up_before_its_limit(self) -> None:
        self.write("hung.py", UNCHANGED.replace("def forward(self, x):\n",
                                                "def forward(self, x):\n"
                                                "        torch.cuda._sleep(1 << 50)\n", 1))
        self.write("another.py", FASTER + "\n# once more\n")
        began = time.monotonic()
        ended = self.lathe("eval", "task.py", "hung.py", "faster.py", "another.py",
                           "--build-limit", "300", "--json", *ON_DEVICE)
        self.assertLess(time.monotonic() - began, 120)
        outcomes = [x["outcome"] for x in ended.json["verdicts"]]
        self.assertEqual(outcomes, ["timed_out", "correct", "correct"], ended.out)
        self.assertIn("did not end", ended.json["verdicts"][0]["evidence"])

    @unittest.skipIf(DEVICE == "cpu", "processors are many")
    def test_a_second_lathe_is_told_that_the_gpu_is_taken(self) -> None:
        self.write("slow.py", UNCHANGED)
        first = self.start("--log-level", "trace", "eval", "task.py", "slow.py", "--device", DEVICE,
                           "--repeat", "1000")
        assert first.stderr is not None
        self.wait_until("the first one judges", lambda: "is oracle" in first.stderr.readline())
        self.assert_sentence(self.lathe("eval", "task.py", "faster.py", *ON_DEVICE),
                             ENVIRONMENT_LACKS, "another lathe", DEVICE)
        first.kill()
        self.finish(first)
        self.assert_code(self.lathe("eval", "task.py", "faster.py", *ON_DEVICE), DONE)


if __name__ == "__main__":
    unittest.main()
