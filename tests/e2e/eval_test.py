"""lathe eval with many tasks and candidates: paired, judged side by side, written in three ways."""

import json
import re
import subprocess
import unittest
from html.parser import HTMLParser

from candidates_test import REMEMBERS
from lathe_case import DONE, NOT_BETTER, USER_MISTAKE, Ended, LatheCase, descendants, interrupt, is_gone
from programs import FASTER, TASK, UNCHANGED

WRONG = FASTER.replace("torch.tanh(x)", "torch.tanh(1.01 * x)")
BROKEN_TASK = TASK.replace("import torch\n", "import flux_capacitor\n", 1)
IDLE_WEIGHTS = """import torch


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.unused = torch.nn.Linear(8, 8)

    def forward(self, x):
        return torch.tanh(x)


def get_inputs():
    return [torch.rand(64, 64)]


def get_init_inputs():
    return []
"""
ZEROS = TASK.replace("return torch.tanh(x)", "return 0.0 * torch.tanh(x)")
QUICK = ["--time-budget", "0.2"]


class Page(HTMLParser):
    """Reads a page whose every element is closed."""

    ALONE = {"meta", "path", "circle", "wbr"}

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, _: object) -> None:
        self.seen.append(tag)
        if tag not in self.ALONE:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.ALONE:
            return
        assert self.open and self.open[-1] == tag, f"</{tag}> within {self.open}"
        self.open.pop()


class ManyTasks(LatheCase):
    def test_candidates_find_their_tasks_and_come_out_in_every_form(self) -> None:
        for name, text in {"level1/1_sums.py": TASK, "level1/2_broken.py": BROKEN_TASK,
                           "level1/3_idle.py": TASK, "level1/10_more.py": TASK,
                           "run/level_1_problem_1_sample_0_kernel.py": FASTER,
                           "run/level_1_problem_1_sample_1_kernel.py": WRONG,
                           "run/2.py": FASTER, "run/1_10.py": UNCHANGED,
                           "run/level_2_problem_1_sample_0_kernel.py": FASTER}.items():
            self.write(name, text)
        ended = self.lathe("eval", "--tasks", "level1", "--candidates", "run", "--json=out.json",
                           "--kernelbench", "eval_results.json", "--html", "out.html", *QUICK)
        self.assert_sentence(ended, USER_MISTAKE, "no task fits", "level_2_problem_1")
        self.check_table(ended.out)
        self.check_json(json.loads((self.folder / "out.json").read_text()))
        self.check_results(json.loads((self.folder / "eval_results.json").read_text()))
        self.check_page((self.folder / "out.html").read_text())

    def check_page(self, text: str) -> None:
        page = Page()
        page.feed(text)
        self.assertEqual(page.open, [], "not closed")
        self.assertEqual(page.seen.count("tr"), 5)
        self.assertEqual(page.seen.count("svg"), 3, "fast_p, and who was timed")

    def check_table(self, text: str) -> None:
        lines = text.splitlines()
        head = next(i for i, line in enumerate(lines) if line.startswith("task "))
        rows = lines[head + 1:head + 5]
        found = [tuple(line.split()[1:3]) for line in rows]
        self.assertEqual(found, [("run/level_1_problem_1_sample_0_kernel.py", "correct"),
                                 ("run/level_1_problem_1_sample_1_kernel.py", "incorrect"),
                                 ("run/2.py", "no"), ("run/1_10.py", "correct")], text)
        column = lines[head].index("verdict")
        for line in rows:
            self.assertRegex(line[column - 1:], r"^ (correct|incorrect|no verdict)", text)
        self.assertIn("flux_capacitor", rows[2])
        self.assertIn("2 correct · 1 incorrect", text)
        self.assertRegex(text, r"geomean \d+\.\d\dx \[\d+\.\d\d, \d+\.\d\d\] over 2 correct")
        self.assertRegex(text, r"fast_1 0\.\d\d.* of 4")
        self.assertIn("1 without a verdict · 1 task without a candidate", text)

    def check_json(self, document: dict) -> None:
        found = [(x["problem_id"], x["sample_id"], x.get("outcome")) for x in document["verdicts"]]
        self.assertEqual(found, [(1, 0, "correct"), (1, 1, "incorrect"), (2, 0, None),
                                 (10, 0, "correct")])
        self.assertIn("flux_capacitor", document["verdicts"][2]["problem"])
        self.assertEqual(document["tasks_without_candidate"], ["level1/3_idle.py"])
        self.assertEqual(document["summary"]["strict"]["fast_1"]["of"], 4)

    def check_results(self, results: dict) -> None:
        self.assertEqual(list(results), ["1", "2", "10"])
        first, second = results["1"]
        self.assertEqual((first["sample_id"], first["compiled"], first["correctness"]),
                         (0, True, True))
        self.assertGreater(first["runtime"], 0)
        self.assertGreater(first["runtime_stats"]["num_trials"], 0)
        self.assertEqual((second["compiled"], second["correctness"], second["runtime"]),
                         (True, False, -1.0))
        self.assertIn("expected", second["metadata"]["correctness_issue"])
        self.assertFalse(results["2"][0]["compiled"])


class OneTask(LatheCase):
    def test_repeated_verdicts_are_compared_each_with_a_reference_process_of_its_own(self) -> None:
        task, right = self.write("t.py", TASK), self.write("c.py", FASTER)
        ended = self.lathe("--log-level", "trace", "eval", task, right, "--repeat", "3", "--json",
                           *QUICK)
        self.assert_code(ended, DONE)
        (verdict,) = ended.json["verdicts"]
        self.assertEqual(len(verdict["runs"]), 3)
        self.assertTrue(verdict["repetition"]["agree"])
        medians = {run["timing"]["candidate_ms"] for run in verdict["runs"]}
        self.assertEqual(len(medians), 3, "a repetition was served from memory")
        references = re.findall(r"race of worker \d+ against worker (\d+)", ended.err)
        self.assertGreaterEqual(len(references), 3, ended.err)
        self.assertEqual(len(references), len(set(references)), ended.err)

    def test_an_audit_says_what_was_tried(self) -> None:
        ended = self.lathe("eval", "--audit", self.write("t.py", TASK))
        self.assert_code(ended, DONE)
        self.assertEqual(len(re.findall(r"  fails$", ended.out, re.MULTILINE)), 5, ended.out)
        ended = self.lathe("eval", "--audit", self.write("zeros.py", ZEROS), "--json")
        self.assert_code(ended, NOT_BETTER)
        self.assertEqual(ended.json["degenerate"], "an answer of zeros passes")
        self.assertIn({"answer": "zeros", "passes": True}, ended.json["tried"])

    def test_a_task_whose_weights_do_not_matter_is_degenerate(self) -> None:
        ended = self.lathe("eval", self.write("idle.py", IDLE_WEIGHTS),
                           self.write("c.py", IDLE_WEIGHTS.replace("Model(", "ModelNew(")),
                           *QUICK, "--json")
        self.assert_code(ended, DONE)
        self.assertEqual(ended.json["degenerate"], "an answer under other weights passes")


class LargeInputs(LatheCase):
    """Half a gigabyte: new ones take the place of others while candidates are timed."""

    def test_who_computes_is_told_from_who_remembers(self) -> None:
        task = self.write("t.py", """import torch


class Model(torch.nn.Module):
    def forward(self, x):
        return torch.relu(x).sum(dim=1)


def get_inputs():
    return [torch.rand(1 << 13, 1 << 14)]
""")
        model = (self.folder / task).read_text().split("def get_inputs")[0]
        honest = self.write("honest.py", model.replace("Model", "ModelNew"))
        remembers = self.write("remembers.py", model.replace("Model", "ModelNew").replace(
            "        return torch.relu(x).sum(dim=1)",
            "        self.known = getattr(self, 'known', {})\n"
            "        key = float(x[0, 0])\n"
            "        if key not in self.known:\n"
            "            self.known[key] = torch.relu(x).sum(dim=1)\n"
            "        return self.known[key]"))
        ended = self.lathe("eval", task, honest, remembers, "--jobs", "1", "--json", timeout=800)
        first, second = ended.json["verdicts"]
        self.assertEqual(first["outcome"], "correct", first)
        self.assertEqual((second["outcome"], second["rule"]), ("refused", "cached-output"), second)


class Interrupted(LatheCase):
    def start_with_a_slow_one(self) -> subprocess.Popen[str]:
        names = [self.write("t.py", TASK), self.write("quick.py", FASTER),
                 self.write("slow.py", "import time\ntime.sleep(1000)\n" + FASTER)]
        process = self.start("eval", *names, "--jobs", "2", "--json=out.json", *QUICK)
        assert process.stdout is not None
        for line in process.stdout:  # until the quick one's
            if line.startswith("quick.py"):
                break
        return process

    def test_what_was_judged_is_kept(self) -> None:
        process = self.start_with_a_slow_one()
        interrupt(process)
        ended = self.finish(process, timeout=30)
        self.assert_code(ended, NOT_BETTER)
        self.assertIn("stopping: 1 of 2 candidates is judged", ended.err)
        self.assertNotIn("slow.py", ended.out)
        document = json.loads((self.folder / "out.json").read_text())
        self.assertEqual([x["candidate"] for x in document["verdicts"]], ["quick.py"])
        self.assertEqual(document["verdicts"][0]["outcome"], "correct")
        self.assertEqual(document["interrupted"], ["slow.py"])
        self.assertEqual(document["summary"]["strict"]["unjudged"], 0)

    def test_repetitions_that_had_ended_are_kept(self) -> None:
        names = [self.write("t.py", TASK), self.write("quick.py", FASTER)]
        process = self.start("--log-level", "trace", "eval", *names, "--jobs", "1", "--repeat",
                             "1000", "--json=out.json", *QUICK)
        assert process.stderr is not None
        begun = 0
        for line in process.stderr:  # until the first two have ended
            begun += "is candidate" in line
            if begun == 3:
                break
        interrupt(process)
        ended = self.finish(process, timeout=30)
        self.assert_code(ended, NOT_BETTER)
        document = json.loads((self.folder / "out.json").read_text())
        self.assertEqual(document["interrupted"], ["quick.py"])
        verdict, = document["verdicts"]
        self.assertGreaterEqual(len(verdict["runs"]), 2)
        self.assertEqual({run["outcome"] for run in verdict["runs"]}, {"correct"})
        self.assertIn(f"{len(verdict['runs'])} verdicts agree", ended.out)

    def test_nothing_is_left_running(self) -> None:
        process = self.start_with_a_slow_one()
        family = descendants(process.pid)
        self.assertGreater(len(family), 2)
        interrupt(process)
        self.finish(process, timeout=30)
        self.wait_until("its processes end", lambda: all(is_gone(pid) for pid in family))


class Keeping(LatheCase):
    def eval(self, *arguments: str) -> Ended:
        return self.lathe("--log-level", "trace", "eval", *arguments, "--keep", "kept", "--json",
                          *QUICK)


class Kept(Keeping):
    def test_who_was_killed_goes_on(self) -> None:
        task, quick = self.write("t.py", TASK), self.write("quick.py", FASTER)
        slow = self.write("slow.py", "import time\ntime.sleep(1000)\n" + FASTER)
        process = self.start("eval", task, quick, slow, "--jobs", "1", "--keep", "kept", *QUICK)
        assert process.stdout is not None
        self.assertTrue(any(line.startswith("quick.py") for line in process.stdout))
        process.kill()
        self.finish(process)
        self.write("slow.py", WRONG)
        ended = self.eval(task, quick, slow)
        self.assert_code(ended, NOT_BETTER)
        self.assertIn("1 of 2 verdicts are kept in kept and not judged again", ended.err)
        self.assertEqual(re.findall(r"is candidate \S*/(\w+)\.py", ended.err), ["slow"])
        self.assertEqual([x["outcome"] for x in ended.json["verdicts"]], ["correct", "incorrect"])

    def test_a_folder_that_is_none_is_told_before_anything_is_judged(self) -> None:
        names = self.write("t.py", TASK), self.write("right.py", FASTER), "--keep", "t.py"
        self.assert_sentence(self.lathe("eval", *names), USER_MISTAKE, "t.py", "cannot be kept")


class KeptAndFound(Keeping):
    def test_what_is_known_is_said_again_in_the_same_words(self) -> None:
        names = [self.write("t.py", TASK), self.write("right.py", FASTER),
                 self.write("wrong.py", WRONG), "--judge", "strict,kernelbench"]
        first = self.eval(*names)
        if "unstable" in first.out:
            self.skipTest("the host is too busy")
        again = self.eval(*names)
        self.assertEqual(again.json, first.json)
        self.assertIn("4 of 4 verdicts are kept", again.err)
        self.assertNotRegex(again.err, "is (oracle|candidate)")

    def test_what_is_not_the_same_or_was_spoilt_is_judged_again(self) -> None:
        task, right = self.write("t.py", TASK), self.write("right.py", FASTER)
        self.eval(task, right)
        for file in (self.folder / "kept").iterdir():
            file.write_text(file.read_text().replace("correct", "perfect"))
        ended = self.eval(task, right)
        self.assert_code(ended, DONE)
        self.assertIn("is candidate", ended.err)
        self.write("right.py", FASTER + "# other words\n")
        self.assertIn("is candidate", self.eval(task, right).err)


class Judges(LatheCase):
    def test_several_stand_side_by_side_and_say_why_they_differ(self) -> None:
        task = self.write("t.py", TASK)
        # An error between what float32 shows and what 1e-4 allows.
        rough = FASTER.replace("return torch.tanh(x)", "return torch.tanh(x) * 1.00003")
        names = [self.write(name, text) for name, text in
                 {"honest.py": FASTER, "rough.py": rough, "caches.py": REMEMBERS}.items()]
        ended = self.lathe("eval", task, *names, "--judge", "strict,kernelbench", "--json=j.json",
                           *QUICK)
        self.assert_code(ended, NOT_BETTER)
        document = json.loads((self.folder / "j.json").read_text())
        found = {x["candidate"]: (x["outcome"], x["other_judges"][0]["outcome"],
                                  [why.split(":")[0] for why in x["disagreements"]])
                 for x in document["verdicts"]}
        self.assertEqual(found["honest.py"][:2], ("correct", "correct"))
        self.assertEqual(found["rough.py"], ("incorrect", "correct", ["tolerance"]))
        self.assertEqual(found["caches.py"], ("refused", "correct", ["conduct"]))
        for x in document["verdicts"]:
            times = x["other_judges"][0]["timing"]
            self.assertEqual(times["samples"], 100)
            self.assertTrue(times["low"] < times["speedup"] < times["high"])
        self.assertRegex(ended.out, r"rough\.py +incorrect +\d+\.\d\dx .* +tolerance: ")
        self.assertIn("train mode", document["verdicts"][0]["other_judges"][0]["rules"])

    def test_pike_looks_at_one_draw(self) -> None:
        wrong = FASTER.replace("return torch.tanh(x)", "return torch.tanh(x) * 1.05")
        ended = self.lathe("eval", self.write("t.py", TASK), self.write("wrong.py", wrong),
                           "--judge", "pike", "--json")
        self.assert_code(ended, NOT_BETTER)
        (verdict,) = ended.json["verdicts"]
        self.assertEqual((verdict["outcome"], verdict["degenerate"]), ("incorrect", ""))
        self.assertIn("1 input draw", verdict["rules"])

    def test_pike_takes_a_model_by_the_name_that_tasks_give_it(self) -> None:
        task = self.write("t.py", TASK)
        named = self.write("named.py", FASTER.replace("ModelNew", "Model"))
        ended = self.lathe("eval", task, named, "--judge", "strict,pike", "--json", *QUICK)
        (verdict,) = ended.json["verdicts"]
        self.assertEqual((verdict["outcome"], verdict["rule"]), ("refused", "no-model"))
        self.assertEqual(verdict["other_judges"][0]["outcome"], "correct")


class Noise(LatheCase):
    def test_the_hosts_noise_is_told_with_advice(self) -> None:
        ended = self.lathe("bench-noise", "--seconds", "0.1", "--time-budget", "0.1", "--json")
        self.assert_code(ended, DONE)
        self.assertEqual([x["model"] for x in ended.json["models"]], ["launch-bound", "mid-sized"])
        for x in ended.json["models"]:
            self.assertGreaterEqual(x["verdicts"] + x["untimed"], 3)
            self.assertEqual(x["ties"] + x["wins"] + x["losses"], x["verdicts"])
        self.assertTrue(ended.json["advice"])


class Mistakes(LatheCase):
    """Each is one sentence, before any process is started."""

    def refuse(self, arguments: list[str], *parts: str) -> None:
        with self.subTest(arguments=arguments):
            self.assert_sentence(self.lathe("eval", *arguments), USER_MISTAKE, *parts)

    def test_each_is_one_sentence(self) -> None:
        task, named = self.write("t.py", TASK), self.write("1_x.py", TASK)
        candidate = self.write("c.py", FASTER)
        self.write("level1/3.py", TASK)
        self.write("level2/3.py", TASK)
        self.write("out/3.py", FASTER)
        (self.folder / "empty").mkdir()
        self.refuse([], "lathe eval TASK CANDIDATE")
        self.refuse([task], "name candidates")
        self.refuse(["--tasks", task], "--candidates")
        self.refuse(["--candidates", task], "--tasks")
        self.refuse([task, candidate, "--tasks", task, "--candidates", candidate], "not both")
        self.refuse(["--audit", task, task], "--audit")
        self.refuse([task, "empty"], "empty", "no Python files")
        self.refuse([task, "x*.py"], "x*.py", "matches")
        self.refuse(["--tasks", task, "--candidates", candidate], "fits")
        self.refuse(["--tasks", "level1", "level2", "--candidates", "out/3.py"], "level1/3.py",
                    "level2/3.py")
        self.refuse([task, candidate, "--kernelbench", "r.json"], "t.py", "problem number")
        self.refuse([named, candidate, "--json=no/such/folder.json"], "no/such/folder.json")
        self.refuse([task, candidate, "--device", "cpu", "--forbid", "fallback,folding"],
                    "fallback cannot be seen on a CPU")


if __name__ == "__main__":
    unittest.main()
