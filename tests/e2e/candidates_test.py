"""Candidates of every kind: each gets its own verdict, whoever came before it."""

import re
import unittest
from typing import Any

from lathe_case import NOT_BETTER, USER_MISTAKE, LatheCase
from programs import FASTER, TASK, UNCHANGED, unchanged_but

REMEMBERS = UNCHANGED.replace(
    "    def forward(self, x):\n",
    "    def forward(self, x):\n"
    "        key = x.numpy().tobytes()\n"
    "        if key not in self.known:\n"
    "            self.known[key] = self.result(x)\n"
    "        return self.known[key].clone()\n\n"
    "    def result(self, x):\n",
).replace("        self.widen =", "        self.known = {}\n        self.widen =", 1)

# At import and whenever a model is made: not in calls, where it would only take long.
PRINT = FASTER.replace("        widen =", "        print('x' * (100 << 20))\n        widen =", 1)
LOUD = "import os\nos.write(1, b'\\xff\\xfe\\x00')\nraise RuntimeError('é' * 9001)\n" + FASTER
FORK = "import os\nfor _ in range(20):\n    os.fork()\n" + UNCHANGED

# In the first call that is looked at, and in the one after it, which is made meanwhile.
WRONG_THEN_RAISES = unchanged_but("ModelNew.n = getattr(ModelNew, 'n', 0) + 1; "
                                  "y *= 1 if ModelNew.n < 2 else 1.001; "
                                  "y = y / (None if ModelNew.n > 2 else 1)")

LIMITS = ["--run-limit", "2", "--build-limit", "2"]

# However a fork bomb ends: what matters is that it is over then.
NOT_CORRECT = ""

# What each is, and how its verdict has to look: outcome, rule, words in the evidence.
CANDIDATES: list[tuple[str, str | bytes, str, str, list[str]]] = [
    ("first", FASTER, "correct", "", []),
    ("empty", "", "refused", "empty", ["empty"]),
    ("blank", "\n \t\n", "refused", "empty", ["empty"]),
    ("large", FASTER + "# so long\n" * 5_000_000, "refused", "too-large", ["bytes"]),
    ("binary", b"\x7fELF\0ModelNew", "refused", "binary", ["zero byte"]),
    ("latin", FASTER.encode() + "# déjà vu\n".encode("latin-1"), "refused", "not-utf8", ["UTF-8"]),
    ("no_model", "class Net:\n    pass\n", "refused", "no-model", ["ModelNew"]),
    ("only_named", "# ModelNew is not here\n", "build_failed", "", ["ModelNew"]),
    ("syntax", FASTER + "def f(:\n", "build_failed", "", ["syntax.py:21"]),
    ("imports", "import flux_capacitor\n" + FASTER, "build_failed", "",
     ["imports.py:1", "flux_capacitor"]),
    ("loud", LOUD, "build_failed", "", ["loud.py:3", "ééé"]),
    ("raises", unchanged_but("y = y / None"), "crashed", "", ["raises.py:15", "TypeError"]),
    ("kills", unchanged_but("import os; os.kill(os.getpid(), 9)"), "crashed", "", ["SIGKILL"]),
    ("exits", unchanged_but("import os; os._exit(0)"), "crashed", "", []),
    ("loops", unchanged_but("while True: pass"), "timed_out", "", []),
    ("allocates", unchanged_but("torch.ones(1 << 36)"), "out_of_memory", "", []),
    ("prints", PRINT, "correct", "", []),
    ("a_little", unchanged_but("y *= 1.001"), "incorrect", "", ["expected"]),
    ("one_element", unchanged_but("y[-1, -1] += 0.01"), "incorrect", "",
     ["one element of 4096", "[63, 63]"]),
    ("wrong_then_raises", WRONG_THEN_RAISES, "incorrect", "", ["expected"]),
    ("shape", unchanged_but("y = y[:-1]"), "incorrect", "", ["[64, 64]", "[63, 64]"]),
    ("dtype", unchanged_but("y = y.double()"), "incorrect", "", ["float64"]),
    ("nothing", unchanged_but("y = None"), "incorrect", "", []),
    ("not_a_number", unchanged_but("y *= float('nan')"), "incorrect", "", []),
    ("mutates", unchanged_but("x.zero_()"), "refused", "input-mutation", ["inputs"]),
    ("remembers", REMEMBERS, "refused", "cached-output", ["never-seen"]),
    ("slower", unchanged_but("self.result(x), self.result(x)"), "correct", "", []),
    ("unchanged", UNCHANGED, "correct", "", []),
    ("forks", FORK, NOT_CORRECT, "", []),
    ("last", "# once more\n" + FASTER, "correct", "", []),
    ("first_again", FASTER + "\n\n", "correct", "", []),
]


class Candidates(LatheCase):
    """One call for all of them: starting lathe and preparing the task is most of the cost."""

    verdicts: dict[str, Any]

    def judge(self) -> None:
        task = self.write("task.py", TASK)
        names = [self.write(f"{name}.py", text) for name, text, *_ in CANDIDATES]
        ended = self.lathe("eval", task, *names, *LIMITS, "--json", "--time-budget", "0.4")
        self.assert_code(ended, NOT_BETTER)
        self.assertEqual(ended.err, "")
        self.document = ended.json
        self.verdicts = {x["candidate"].removesuffix(".py"): x for x in self.document["verdicts"]}
        self.assertEqual(list(self.verdicts), [name for name, *_ in CANDIDATES])

    def test_each_gets_the_verdict_that_it_deserves(self) -> None:
        self.judge()
        self.assertEqual(self.document["degenerate"], "")
        for name, _, outcome, rule, words in CANDIDATES:
            with self.subTest(candidate=name):
                verdict = self.verdicts[name]
                expected = outcome or verdict["outcome"]
                self.assertEqual((verdict["outcome"], verdict["rule"]), (expected, rule), verdict)
                self.check_evidence(verdict["evidence"], words)
                self.assertEqual(verdict["evidence"] == "", outcome == "correct")
        self.check_times()
        self.check_independence()

    def check_evidence(self, evidence: str, words: list[str]) -> None:
        self.assertLess(len(evidence), 10_000)
        for word in words:
            self.assertIn(word, evidence)
        for word in ("worker.py", "zygote.py", "/tmp/", "terminate called"):
            self.assertNotIn(word, evidence)

    def check_times(self) -> None:
        times = {name: x["timing"] for name, x in self.verdicts.items() if "timing" in x}
        self.assertGreater(times["first"]["low"], 1)
        self.assertLess(times["slower"]["high"], 1)
        # What does the same as the reference may be called a tie, never a clear win.
        self.assertLess(times["unchanged"]["low"], 1.05)
        self.assertGreater(times["unchanged"]["high"], 0.9)
        for name, x in times.items():
            with self.subTest(candidate=name):
                self.assertTrue(0 < x["low"] <= x["speedup"] <= x["high"])

    def check_independence(self) -> None:
        """All that happened in between does not show in the verdict on the same program."""
        first, last = self.verdicts["first"], self.verdicts["last"]
        self.assertEqual(first["correctness"]["precision_class"],
                         last["correctness"]["precision_class"])
        self.assertLess(abs(last["timing"]["speedup"] / first["timing"]["speedup"] - 1), 0.5)
        # A text that differs in blanks alone is not judged again.
        self.assertEqual(self.verdicts["first_again"]["timing"], first["timing"])

    def test_limits_are_checked_before_anything_is_started(self) -> None:
        task, candidate = self.write("task.py", TASK), self.write("c.py", FASTER)
        for option in ("--run-limit", "--build-limit", "--time-budget"):
            with self.subTest(option=option):
                ended = self.lathe("eval", task, candidate, option, "-1")
                self.assert_code(ended, USER_MISTAKE)
                self.assertIn(f"{option}: Value -1 not in range", ended.err)

    def test_who_is_refused_for_what_clocks_say_is_heard_once_more(self) -> None:
        task, candidate = self.write("task.py", TASK), self.write("remembers.py", REMEMBERS)
        ended = self.lathe("--log-level", "trace", "eval", task, candidate, "--json")
        self.assertEqual(ended.json["verdicts"][0]["rule"], "cached-output", str(ended))
        races = re.findall(r"race of worker (\d+) against", ended.err)
        self.assertEqual(len(set(races)), 2, ended.err[-2000:])


if __name__ == "__main__":
    unittest.main()
