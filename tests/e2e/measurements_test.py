"""What is measured once a machine: the device's peaks and torch.compile's ratios, and what is told."""

import json
import os
import unittest
from pathlib import Path
from typing import Any

from lathe_case import DONE, Journal, LatheCase
from programs import FASTER, FOLDABLE_TASK, TASK, UNCHANGED
from topologies import recipes

QUICK = ["--time-budget", "0.2"]


class Measurements(LatheCase):
    def setUp(self) -> None:
        super().setUp()
        self.environment = {**os.environ, "LATHE_CACHE": str(self.folder / "cache")}

    def kept(self, kind: str) -> list[Path]:
        return sorted((self.folder / "cache" / kind).glob("*.json"))

    def content(self, kind: str) -> Any:
        file, = self.kept(kind)
        return json.loads(file.read_text())

    def judge(self) -> Any:
        """Returns the candidate's timing; a host may be too busy for one now and then."""
        for _ in range(3):
            ended = self.lathe("eval", "task.py", "faster.py", "--json", *QUICK,
                               env=self.environment)
            if "timing" in ended.json["verdicts"][0]:
                break
        self.assert_code(ended, DONE)
        return ended.json["verdicts"][0]["timing"]


class Peaks(Measurements):
    def test_peaks_are_measured_once_and_told_as_a_floor(self) -> None:
        self.write("task.py", TASK)
        self.write("faster.py", UNCHANGED)  # who folds weights may be below the floor
        timing = self.judge()
        self.assertGreater(timing["floor_ms"], 0)
        self.assertLess(timing["floor_ms"], timing["candidate_ms"])
        self.assertEqual(timing["throttled"], 0)
        measured = self.content("peaks")["measured"]
        self.assertGreater(measured["bandwidth"], 1e8)

        ended = self.lathe("eval", "task.py", "faster.py", *QUICK, env=self.environment)
        self.assertRegex(ended.out, r"\n +roofline floor \d+\.\d+ ms \(\d+(\.\d)?x above it\)\n")
        self.assertEqual(self.content("peaks")["measured"], measured, "it was measured again")

        ended = self.lathe("doctor", env=self.environment)
        self.assertRegex(ended.out, r"peaks +ok +copies [\d.]+ [GT]B/s; products of matrices")

    def test_nonsense_in_the_cache_is_measured_again(self) -> None:
        self.write("task.py", TASK)
        self.write("faster.py", FASTER)
        self.judge()
        content = self.content("peaks")
        for nonsense in ("", json.dumps({**content, "measured": {"bandwidth": -1}})):
            self.kept("peaks")[0].write_text(nonsense)
            self.assertGreater(self.judge()["floor_ms"], 0)
            self.assertEqual(set(self.content("peaks")["measured"]), set(content["measured"]))

    def test_who_is_faster_than_the_peaks_allow_has_them_measured_again(self) -> None:
        self.write("task.py", TASK)
        self.write("faster.py", FASTER)
        self.judge()
        content = self.content("peaks")
        rates = ("bandwidth", "reading", "cached", "float32", "tf32", "half")
        slow = {rate: content["measured"][rate] / 1e4 for rate in rates}
        planted = {**content, "measured": {**content["measured"], **slow}}
        self.kept("peaks")[0].write_text(json.dumps(planted))
        self.assertGreater(self.judge()["floor_ms"], 0)
        for rate in rates:
            self.assertGreater(self.content("peaks")["measured"][rate], 100 * slow[rate])


class Baselines(Measurements):
    def run_with(self, name: str, baselines: str) -> tuple[str, Any]:
        """Returns the report, and the winner's baselines."""
        text = recipes("fold", "trace").replace("baselines: [eager]", f"baselines: {baselines}")
        text = text.replace("build_limit: 30s", "build_limit: 5m")
        self.write("t.yaml", text)
        self.write("conv.py", FOLDABLE_TASK)
        ended = self.lathe("run", "t.yaml", "--task", "conv.py", "--name", name,
                           env=self.environment)
        self.assert_code(ended, DONE)
        run = self.folder / "runs" / name
        again = [x["answer"]["baselines"] for x in Journal(run).payloads("verdict_received")]
        return (run / "report.md").read_text(), [x for x in again if x]

    def test_torch_compile_is_measured_once_and_again_with_the_winner(self) -> None:
        report, again = self.run_with("first", "[eager, compile]")
        self.assertRegex(report, r"- against: eager \d.*torch\.compile \d+\.\d\dx")
        self.assertIn("; all timed again with it", report)
        self.assertEqual([x["name"] for x in again[-1]], ["eager", "compile"])
        content = self.content("baselines")
        self.assertGreater(content["measured"]["speedup"], 0)
        self.assertEqual(content["subject"]["baseline"], "compile")

    def test_eager_alone_needs_no_compiler(self) -> None:
        report, again = self.run_with("plain", "[eager]")
        self.assertNotIn("torch.compile", report.split("| candidate")[0])
        self.assertEqual(again, [])
        self.assertEqual(self.kept("baselines"), [])


if __name__ == "__main__":
    unittest.main()
