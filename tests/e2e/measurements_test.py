"""What outlives a run: the device's peaks and torch.compile's ratios, and what compilers made."""

import json
import os
import re
import unittest
from pathlib import Path
from typing import Any

from lathe_case import DONE, Journal, LatheCase, USER_MISTAKE
from programs import FASTER, FOLDABLE_TASK, TASK, UNCHANGED
from topologies import recipes

QUICK = ["--time-budget", "0.2"]

# Leaves a note where compilers keep what they made, and does not go on when it finds one.
NOTED = f'''{UNCHANGED}

import os

note = os.environ["TORCH_EXTENSIONS_DIR"] + "/extension/note"
if os.path.exists(note):
    raise RuntimeError("it was here before")
os.makedirs(os.path.dirname(note), exist_ok=True)
open(note, "w").write("here")
'''

# Fails where its extension is built in its own process.
EXTENDED = f'''import os

from torch.utils.cpp_extension import load_inline

SOURCE = """#include <Python.h>
static PyObject* twice(PyObject*, PyObject* x) {{ return PyNumber_Add(x, x); }}
static PyMethodDef all[] = {{{{"twice", twice, METH_O, nullptr}}, {{}}}};
static PyModuleDef own = {{PyModuleDef_HEAD_INIT, "twice", nullptr, -1, all}};
PyMODINIT_FUNC PyInit_twice() {{ return PyModule_Create(&own); }}
"""
BUILT = os.environ["TORCH_EXTENSIONS_DIR"] + "/twice/twice.so"
WHEN = os.stat(BUILT).st_mtime_ns
EXTENSION = load_inline(name="twice", cpp_sources=SOURCE, no_implicit_headers=True)
assert os.stat(BUILT).st_mtime_ns == WHEN
assert EXTENSION.twice(3) == 6
{UNCHANGED}'''


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


class Compiled(Measurements):
    """With a cache of compiled code."""

    def setUp(self) -> None:
        super().setUp()
        del self.environment["LATHE_COMPILED_LIMIT"]
        self.write("task.py", TASK)


class CompiledCode(Compiled):
    def outcomes(self, *options: str, **environment: str) -> list[str]:
        ended = self.lathe("eval", "task.py", "noted.py", "--json", *QUICK, *options,
                           env={**self.environment, **environment})
        return [x["outcome"] for x in ended.json["verdicts"]]

    def archives(self) -> list[Path]:
        return sorted((self.folder / "cache/compiled").glob("*"))

    def test_a_candidate_gets_what_it_compiled_back_in_a_later_run_alone(self) -> None:
        self.write("noted.py", NOTED)
        self.assertNotIn("build_failed", self.outcomes("--repeat", "2"))
        self.assertEqual(self.outcomes(), ["build_failed"])
        self.assertNotIn("build_failed", self.outcomes(LATHE_COMPILED_LIMIT="0"))
        # Where everybody knows the inputs, the note could be an answer.
        self.assertNotIn("build_failed", self.outcomes("--judge", "kernelbench"))
        archive, = self.archives()
        for broken in (archive.read_bytes()[:50], b"nonsense", b"\xff" * 100):
            archive.write_bytes(broken)
            self.assertNotIn("build_failed", self.outcomes())

    def test_recipes_of_a_task_are_compiled_once(self) -> None:
        self.write("t.yaml", recipes("compile").replace("build_limit: 30s", "build_limit: 5m"))
        sizes = []
        for name in ("first", "second"):
            self.lathe("run", "t.yaml", "--task", "task.py", "--name", name, env=self.environment)
            archive, = self.archives()
            sizes.append(archive.stat().st_size)
        self.assertGreater(sizes[0], 1000)
        self.assertEqual(sizes[0], sizes[1], "something was compiled again")

    def test_a_limit_that_is_no_size_is_a_mistake(self) -> None:
        self.write("noted.py", NOTED)
        ended = self.lathe("eval", "task.py", "noted.py",
                           env={**self.environment, "LATHE_COMPILED_LIMIT": "much"})
        self.assert_code(ended, USER_MISTAKE)
        self.assertIn("LATHE_COMPILED_LIMIT is no size", ended.err)


class Extensions(Compiled):
    """What candidates ask torch to build is built once, by a process that runs none of them."""

    def builds(self, *names: str) -> tuple[list[dict[str, Any]], int]:
        """Returns the verdicts, and how many extensions were built ahead of their candidates."""
        ended = self.lathe("--log-level", "trace", "eval", "task.py", *names, "--json", "--jobs",
                           "1", *QUICK, env=self.environment)
        self.assertIn(": extensions took", ended.err)
        return ended.json["verdicts"], ended.err.count(": build took")

    def test_extensions_are_built_once_for_all_who_ask_for_the_same(self) -> None:
        self.write("a.py", EXTENDED)
        self.write("b.py", EXTENDED + "# another candidate\n")
        verdicts, builds = self.builds("a.py", "b.py")
        self.assertEqual([x["outcome"] for x in verdicts], ["correct"] * 2, verdicts)
        self.assertEqual(builds, 1)
        # In a later run those are there still; and a candidate gets what it asks for when it runs.
        self.write("later.py", EXTENDED + "# in a later run\n")
        product = "globals()['SOURCE'] = SOURCE.replace('Add', 'Multiply')"
        other = EXTENDED.replace("BUILT =", f"{product}\nBUILT =")
        self.write("other.py", other.replace("== WHEN", "> WHEN").replace("== 6", "== 9"))
        broken = EXTENDED.replace("PyNumber_Add(x, x)", "nonsense")
        broken = re.sub("(?m)^(WHEN|assert).*\\n", "", broken)
        self.write("broken.py", broken)
        self.write("copes.py", broken.replace("EXTENSION =", "try:\n    EXTENSION =").replace(
            "headers=True)\n", "headers=True)\nexcept RuntimeError:\n    pass\n"))
        verdicts, builds = self.builds("later.py", "other.py", "broken.py", "copes.py")
        self.assertEqual([x["outcome"] for x in verdicts],
                         ["correct", "correct", "build_failed", "correct"], verdicts)
        self.assertIn("error:", verdicts[2]["evidence"])
        self.assertEqual(builds, 2)  # of the broken ones: what the others' texts say is known


if __name__ == "__main__":
    unittest.main()
