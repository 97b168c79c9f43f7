"""A run of recipes alone, from a task file to a faster model that is ready to use."""

import json
import os
import sqlite3
import subprocess
import sys
import textwrap
import time
import unittest

from lathe_case import DONE, NOT_BETTER, USER_MISTAKE, Journal, LatheCase
from programs import FASTER, FOLDABLE_TASK, TASK, UNCHANGED
from topologies import recipes

# What a user does with the result: seeds, builds both, compares.
COMPARE = textwrap.dedent("""
    import sys, torch
    sys.path[:0] = [".", "runs/r"]
    from conv import Model, get_inputs, get_init_inputs
    from conv_best import ModelNew
    models = []
    for kind in (Model, ModelNew):
        torch.manual_seed(7)
        models.append(kind(*get_init_inputs()).eval())
    with torch.no_grad():
        inputs = get_inputs()
        expected, got = (model(*inputs) for model in models)
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)
    print("agrees")
""")


# A pass that leaves the model as it is.
UNTOUCHED = '''"""Changes nothing."""
PRECISION = "fp32"
SLOT = "run"

def applies(model, inputs, mode):
    return ""

def rewrite(model):
    return model
'''


class Recipes(LatheCase):
    def test_a_run_finds_a_faster_model_and_writes_it_out(self) -> None:
        task = self.write("conv.py", FOLDABLE_TASK)
        topology = self.write("t.yaml", recipes("fold", "trace"))
        ended = self.lathe("run", topology, "--task", task, "--name", "r")
        self.assert_code(ended, DONE)
        run = self.folder / "runs/r"
        self.assertRegex(ended.out, r"conv +\d+\.\d\dx \[\d+\.\d\d, \d+\.\d\d\]")
        self.assertIn("runs/r/conv_best.py", ended.out)
        self.assertIn("report runs/r/report.md", ended.out)
        self.assertTrue((run / "lathe.log").exists(), "what is logged goes there")
        self.check_report((run / "report.md").read_text())
        self.check_best()
        self.check_journal(Journal(run))
        self.check_status()
        self.check_that_a_finished_run_stays_as_it_is()
        self.check_that_status_tells_of_a_lost_device()

    def check_report(self, report: str) -> None:
        for part in ("## conv", "proof: fp32 class", "measured again after the search", "| recipe",
                     "- cpu  exclusive "):
            self.assertIn(part, report)

    def check_best(self) -> None:
        compared = subprocess.run([sys.executable, "-W", "ignore", "-c", COMPARE], cwd=self.folder,
                                  capture_output=True, text=True, timeout=120)
        self.assertEqual((compared.returncode, compared.stdout), (0, "agrees\n"), compared.stderr)

    def check_journal(self, journal: Journal) -> None:
        numbers = [seq for (seq,) in journal.query("select seq from event order by seq")]
        self.assertEqual(numbers, list(range(1, len(numbers) + 1)))
        self.assertEqual(journal.count("session_started"), 1)
        self.assertEqual(journal.count("session_ended"), 1)
        self.assertEqual(journal.count("llm_exchange"), 0)
        self.assertGreaterEqual(journal.count("verdict_received"), 2)
        self.check_leases(journal)

    def check_leases(self, journal: Journal) -> None:
        """Every lease has one span, and no exclusive one overlaps another lease."""
        spans = sorted(journal.payloads("lease"), key=lambda x: x["fence"])
        self.assertEqual([x["fence"] for x in spans], list(range(1, len(spans) + 1)))
        self.assertIn("exclusive", {x["kind"] for x in spans})
        for x in spans:
            self.assertLessEqual(x["asked"], x["granted"])
            self.assertLessEqual(x["granted"], x["released"])
            if x["kind"] == "exclusive":
                for y in spans:
                    self.assertTrue(x is y or y["released"] <= x["granted"]
                                    or x["released"] <= y["granted"], (x, y))

    def check_status(self) -> None:
        shown = self.lathe("status", "runs/r")
        self.assert_code(shown, DONE)
        self.assertIn("conv", shown.out)
        self.assertRegex(shown.out, r"cpu  exclusive \d+ % · shared \d+ % · idle \d+ % of \d+ s · \d+ "
                                    r"exclusive leases, median \d+\.\d\d s")
        found = self.lathe("status", "runs/r", "--json").json
        (device,) = found["devices"]
        self.assertEqual(device["device"], "cpu")
        self.assertGreater(device["median_exclusive_seconds"], 0)
        (session,) = found["sessions"]
        self.assertEqual((session["task"], session["state"]), ("conv", "done"))
        self.assertGreater(session["low"], 1)
        self.assertEqual(session["queries"], 0)

    def check_that_a_finished_run_stays_as_it_is(self) -> None:
        journal = Journal(self.folder / "runs/r")
        before = journal.query("select * from event")
        ended = self.lathe("run", "--resume", "runs/r", "--json")
        self.assert_code(ended, DONE)
        self.assertEqual(journal.query("select * from event"), before)

    def check_that_status_tells_of_a_lost_device(self) -> None:
        connection = sqlite3.connect(self.folder / "runs/r/journal.sqlite")
        with connection:
            news = {"device": "cpu", "state": "lost", "reason": "no context"}
            connection.execute("insert into event (time, session, kind, payload) values (?, '', 'device', ?)",
                               (time.time(), json.dumps(news)))
        connection.close()
        shown = self.lathe("status", "runs/r")
        self.assert_code(shown, DONE)
        self.assertIn("cpu is lost: no context", shown.out)

    def test_a_run_without_a_win_ends_with_1(self) -> None:
        task = self.write("plain.py", TASK)
        topology = self.write("t.yaml", recipes("fold"))
        ended = self.lathe("run", topology, "--task", task, "--json")
        self.assert_code(ended, NOT_BETTER)
        self.assertIn("plain: ready", ended.err)  # progress goes where the result is not
        (session,) = ended.json["sessions"]
        self.assertEqual((session["state"], session["tried"]), ("done", 0))
        (run,) = (self.folder / "runs").iterdir()
        self.assertEqual(run.name, ended.json["run"])
        self.assertIn("recipe not applied: fold: no batch norm", (run / "report.md").read_text())
        self.assertEqual(list(run.glob("*_best.py")), [])


class Choices(LatheCase):
    """What a user may choose of recipes."""

    def test_options_count_more_than_the_topology(self) -> None:
        task = self.write("plain.py", TASK)
        topology = self.write("t.yaml", recipes("autocast"))
        options = ["run", topology, "--task", task, "--tolerance", "half", "--device", "cpu:2"]
        ended = self.lathe(*options, "--name", "r")
        self.assertIn(ended.code, (DONE, NOT_BETTER), str(ended))
        report = (self.folder / "runs/r/report.md").read_text()
        for part in ("tolerance half", "| recipe: autocast |"):
            self.assertIn(part, report)
        kept = (self.folder / "runs/r/topology.yaml").read_text()
        for part in ("tolerance: half", "device: cpu:2"):
            self.assertIn(part, kept)
        again = self.lathe("run", "--resume", "runs/r", "--tolerance", "fp32")
        self.assert_sentence(again, USER_MISTAKE, "--resume", "tolerance")
        wrong = self.lathe("run", task, "--device", "tpu")
        self.assert_sentence(wrong, USER_MISTAKE, "evaluator.device", "tpu")

    def test_a_pass_of_the_users_own_is_tried_and_combined_with_lathes(self) -> None:
        task = self.write("conv.py", FOLDABLE_TASK)
        self.write("passes/mine.py", UNTOUCHED)
        plan = recipes("fold", "mine").replace("mine]", "mine], folder: passes")
        ended = self.lathe("run", self.write("t.yaml", plan), "--task", task, "--name", "r")
        self.assertIn(ended.code, (DONE, NOT_BETTER), str(ended))
        report = (self.folder / "runs/r/report.md").read_text()
        for label in ("fold", "mine", "fold+mine"):
            self.assertIn(f"| recipe: {label} |", report)
        (self.folder / "passes/mine.py").unlink()  # the run has what it needs
        self.assertEqual(self.lathe("run", "--resume", "runs/r").code, ended.code)
        self.write("passes/mine.py", "def applies(:")
        ended = self.lathe("run", "t.yaml", "--task", task, "--name", "s")
        self.assertIn("recipe not applied: mine: cannot be read",
                      (self.folder / "runs/s/report.md").read_text())


class SeveralTasks(LatheCase):
    def test_tasks_that_do_not_fit_the_host_together_are_worked_on_one_after_the_other(self) -> None:
        tasks = [self.write(f"{name}.py", TASK) for name in ("first", "second")]
        ended = self.lathe("run", self.write("t.yaml", recipes("trace")), "--task", *tasks,
                           "--name", "r", env={**os.environ, "LATHE_HOST_MEMORY": "1MB"})
        self.assertIn(ended.code, (DONE, NOT_BETTER), str(ended))
        journal = Journal(self.folder / "runs/r")
        self.assertEqual(journal.query("select count(distinct session) from event where kind = "
                                       "'verdict_received'"), [(2,)])
        (prepared,), (over,) = journal.query(
            "select max(seq) from event where kind = 'task_prepared' "
            "union all select min(seq) from event where kind = 'session_ended'")
        self.assertGreater(prepared, over)

    def test_what_is_no_size_is_refused(self) -> None:
        ended = self.lathe("run", self.write("task.py", TASK),
                           env={**os.environ, "LATHE_HOST_MEMORY": "much"})
        self.assert_sentence(ended, USER_MISTAKE, "LATHE_HOST_MEMORY is no size")


class SeveralDevices(LatheCase):
    """Two stand-ins for GPUs: each has an owner, and a task stays where it was prepared."""

    def test_a_run_spreads_its_tasks_over_them(self) -> None:
        tasks = [self.write(f"{name}.py", FOLDABLE_TASK) for name in ("first", "second")]
        plan = recipes("fold").replace("evaluator:\n", "evaluator:\n  device: 'cpu:2'\n")
        ended = self.lathe("run", self.write("t.yaml", plan), "--task", *tasks, "--name", "r")
        self.assertIn(ended.code, (DONE, NOT_BETTER), str(ended))
        journal = Journal(self.folder / "runs/r")
        self.assertEqual(journal.count("session_ended"), 2)
        used = journal.query("select session, group_concat(distinct json_extract(payload, "
                             "'$.device')) from event where kind = 'lease' group by session")
        self.assertEqual({session for session, _ in used}, {"first", "second"})
        self.assertEqual({device for _, device in used}, {"cpu", "cpu:1"})
        report = (self.folder / "runs/r/report.md").read_text()
        for part in ("- cpu  exclusive ", "- cpu:1  exclusive "):
            self.assertIn(part, report)

    def test_candidates_of_a_task_are_judged_on_one_and_told_in_order(self) -> None:
        for name in ("a", "b"):
            self.write(f"t/{name}.py", TASK)
            self.write(f"c/{name}_1.py", FASTER)
            self.write(f"c/{name}_2.py", UNCHANGED)
        ended = self.lathe("eval", "--tasks", "t", "--candidates", "c", "--device", "cpu:2",
                           "--time-budget", "0.2", "--json")
        document = ended.json
        self.assertEqual([x["candidate"] for x in document["verdicts"]],
                         ["c/a_1.py", "c/a_2.py", "c/b_1.py", "c/b_2.py"])
        self.assertEqual([x for x in document["verdicts"] if "outcome" not in x], [])
        self.assertEqual(len(document["device"].split("; ")), 2)

    def test_a_device_that_is_none_is_named(self) -> None:
        for device in ("cuda:0,0", "cuda:0,", "cpu:0"):
            with self.subTest(device=device):
                task = self.write("t.py", TASK)
                ended = self.lathe("eval", task, self.write("c.py", FASTER), "--device", device)
                self.assert_sentence(ended, USER_MISTAKE, device, "cuda:all")


if __name__ == "__main__":
    unittest.main()
