"""Task files that lathe cannot work on: one sentence for each, and nothing else suffers."""

import unittest

from lathe_case import DONE, NOT_BETTER, USER_MISTAKE, LatheCase
from programs import FASTER, TASK
from topologies import recipes


class UnreadableTask(LatheCase):
    """What the file itself tells, before any process is started."""

    def refuse(self, task: str, *parts: str) -> None:
        candidate = self.write("candidate.py", FASTER)
        for command in (["eval", task, candidate], ["run", "--task", task]):
            with self.subTest(command=command[0]):
                self.assert_sentence(self.lathe(*command), USER_MISTAKE, task, *parts)
                self.assertFalse((self.folder / "runs").exists(), "a run began")

    def test_a_missing_file_is_named(self) -> None:
        self.refuse("nowhere.py", "there is no such file")

    def test_a_folder_is_not_a_task(self) -> None:
        (self.folder / "folder.py").mkdir()
        self.refuse("folder.py", "folder")

    def test_prose_is_not_a_task(self) -> None:
        self.refuse(self.write("notes.py", "Dear diary, the model is slow again.\n"), "class Model")

    def test_a_binary_is_not_a_task(self) -> None:
        self.refuse(self.write("binary.py", bytes(range(256))), "not a text file")

    def test_a_task_needs_a_model(self) -> None:
        self.refuse(self.write("t.py", TASK.replace("class Model(", "class Net(")), "class Model")

    def test_a_task_needs_inputs(self) -> None:
        self.refuse(self.write("t.py", TASK.replace("get_inputs", "inputs")), "get_inputs()")

    def test_two_tasks_of_one_name_are_told_apart(self) -> None:
        first, second = self.write("a/t.py", TASK), self.write("b/t.py", TASK)
        ended = self.lathe("run", "--task", first, second)
        self.assert_sentence(ended, USER_MISTAKE, first, second, "one name")

    def test_all_bad_tasks_are_told_at_once(self) -> None:
        ended = self.lathe("run", "--task", "one.py", "two.py")
        self.assert_code(ended, USER_MISTAKE)
        self.assertEqual(len(ended.err.splitlines()), 2, str(ended))

    def test_a_missing_candidate_is_named(self) -> None:
        ended = self.lathe("eval", self.write("t.py", TASK), "nowhere.py")
        self.assert_sentence(ended, USER_MISTAKE, "nowhere.py", "there is no such file")

    def test_a_run_needs_a_task(self) -> None:
        self.assert_sentence(self.lathe("run"), USER_MISTAKE, "name a task")

    def test_an_unknown_option_is_named(self) -> None:
        ended = self.lathe("run", "--fast", "t.py")
        self.assert_code(ended, USER_MISTAKE)
        self.assertIn("--fast", ended.err)


class BrokenTask(LatheCase):
    """What only running the file can tell. One run takes them all, and a sound task beside them."""

    broken = {
        "raises": (TASK.replace("import torch\n", "import torch\n1 / 0\n", 1),
                   ["raises.py:4", "ZeroDivisionError"]),
        "package": (TASK.replace("import torch\n", "import torch\nimport flux_capacitor\n", 1),
                    ["package.py:4", "flux_capacitor"]),
        "syntax": (TASK.replace("return torch.tanh(x)", "return torch.tanh(x"),
                   ["syntax.py:16", "never closed"]),
        "forward": (TASK.replace("return torch.tanh(x)", "raise ValueError('too tired')"),
                    ["forward.py:16", "too tired"]),
        "inputs": (TASK.replace("return [torch.randn(64, 64)]", "return torch.randn(64, 64)"),
                   ["get_inputs", "not a list"]),
        "arguments": (TASK.replace("return [64]", "return [64, 'extra']"), ["argument"]),
        "tires": (TASK.replace("return torch.tanh(x)", "self.calls += 1\n"
                               "        if self.calls > 30: raise ValueError('too often')\n"
                               "        return torch.tanh(x)")
                      .replace("self.widen =", "self.calls = 0\n        self.widen =", 1),
                  ["tires.py:18", "too often"]),
        "quits": (TASK.replace("import torch\n", "import torch\nraise SystemExit(0)\n", 1),
                  ["quits.py"]),
    }

    def test_each_is_named_with_its_line_and_the_others_go_on(self) -> None:
        tasks = [self.write(f"{name}.py", text) for name, (text, _) in self.broken.items()]
        tasks.append(self.write("sound.py", TASK))
        topology = self.write("t.yaml", recipes("trace"))
        ended = self.lathe("run", topology, "--name", "all", "--json", "--task", *tasks)
        self.assert_code(ended, USER_MISTAKE)
        sessions = {x["task"]: x for x in ended.json["sessions"]}
        report = (self.folder / "runs/all/report.md").read_text()
        for name, (_, parts) in self.broken.items():
            with self.subTest(task=name):
                session = sessions[name]
                self.assertEqual(session["state"], "failed")
                self.assertEqual(len(session["reason"].splitlines()), 1, session["reason"])
                for part in parts:
                    self.assertIn(part, session["reason"])
                self.assertIn(session["reason"], report)
        self.assertEqual(sessions["sound"]["state"], "done")
        self.assertEqual(sessions["sound"]["right"], 1)

    def test_eval_says_the_same_sentence(self) -> None:
        text, parts = self.broken["package"]
        ended = self.lathe("eval", self.write("package.py", text), self.write("c.py", FASTER),
                           "--json=out.json")
        self.assert_sentence(ended, USER_MISTAKE, *parts)
        self.assertFalse((self.folder / "out.json").exists())


class SoundTask(LatheCase):
    def test_a_candidate_that_is_right_ends_with_0_and_a_wrong_one_with_1(self) -> None:
        task = self.write("t.py", TASK)
        right = self.write("right.py", FASTER)
        wrong = self.write("wrong.py", FASTER.replace("torch.tanh(x)", "torch.tanh(1.01 * x)"))
        ended = self.lathe("eval", task, right, "--time-budget", "0.2")
        self.assert_code(ended, DONE)
        self.assertRegex(ended.out, r"correct +\d+\.\d\dx \[\d+\.\d\d, \d+\.\d\d\]")
        ended = self.lathe("eval", task, wrong, "--time-budget", "0.2")
        self.assert_code(ended, NOT_BETTER)
        self.assertIn("incorrect", ended.out)
        self.assertIn("expected", ended.out)

    def test_a_task_that_cannot_be_judged_fairly_is_told_apart(self) -> None:
        counts = TASK.replace("self.widen =", "self.calls = 0\n        self.widen =", 1).replace(
            "return torch.tanh(x)", "self.calls += 1\n        return self.calls * torch.tanh(x)")
        changes = TASK.replace("for _ in", "x.add_(1)\n        for _ in")
        for text, reason in ((counts, "the same inputs give other answers the second time"),
                             (changes, "the model changes its inputs, which no candidate may")):
            with self.subTest(reason=reason):
                same = text.replace("class Model(", "class ModelNew(")
                ended = self.lathe("eval", self.write("odd.py", text), self.write("same.py", same),
                                   "--time-budget", "0.2")
                self.assert_code(ended, NOT_BETTER)
                self.assertIn(f"degenerate task: {reason}", ended.out)


if __name__ == "__main__":
    unittest.main()
