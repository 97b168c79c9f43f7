"""Whole runs with scripted answers: mended, changed while they work, interrupted, killed."""

import re
import unittest
from typing import Any

from lathe_case import (
    DONE,
    NOT_BETTER,
    USER_MISTAKE,
    Ended,
    Journal,
    LatheCase,
    descendants,
    interrupt,
    is_gone,
)
from programs import TASK
from topologies import answers, scripted


class Scripted(LatheCase):
    def prepare(self, *, delay: float = 0, **plan: int) -> list[str]:
        """Writes task, answers and topology; returns the command that runs them as `runs/r`."""
        answers(self, ideas=plan["samples"], delay=delay)
        return ["run", self.write("t.yaml", scripted(**plan)), "--task",
                self.write("sums.py", TASK), "--name", "r"]

    @property
    def journal(self) -> Journal:
        return Journal(self.folder / "runs/r")

    def outcomes(self, ended: Ended) -> list[tuple[str, str]]:
        """What was tried and what came of it, whatever came first and got which number."""
        (session,) = ended.json["sessions"]
        found = [(re.sub(r"#\d+", "", x["origin"]), x["outcome"]) for x in session["candidates"]]
        return sorted(found)

    def assert_paid_once(self, ended: Ended) -> None:
        asked = [x["request"] for x in self.journal.payloads("llm_exchange")]
        self.assertEqual(sorted(asked), sorted(set(asked)))
        self.assertEqual(len(asked), ended.json["sessions"][0]["queries"])


class Loop(Scripted):
    def test_a_wrong_answer_is_mended(self) -> None:
        ended = self.lathe(*self.prepare(samples=2), "--json")
        self.assert_code(ended, DONE)
        (session,) = ended.json["sessions"]
        self.assertEqual((session["tried"], session["right"], session["wrong"]), (3, 2, 1), session)
        self.assertEqual(session["queries"], 4)  # a plan, two programs, one mended
        self.assertGreater(session["low"], 1)
        self.assertIn("ModelNew", (self.folder / "runs/r/sums_best.py").read_text())
        self.assert_paid_once(ended)
        report = (self.folder / "runs/r/report.md").read_text()
        self.assertIn("incorrect", report)

    def test_a_budget_of_queries_is_never_exceeded(self) -> None:
        ended = self.lathe(*self.prepare(samples=6, queries=3), "--json")
        self.assert_code(ended, DONE)
        (session,) = ended.json["sessions"]
        self.assertEqual(session["queries"], 3)
        self.assertIn("budget of 3 queries", session["reason"])
        self.assert_paid_once(ended)

    def test_a_question_without_an_answer_does_not_end_the_run(self) -> None:
        command = self.prepare(samples=2)
        (self.folder / "answers/coder/1.md").unlink()
        ended = self.lathe(*command, "--json")
        self.assert_code(ended, DONE)
        (session,) = ended.json["sessions"]
        self.assertEqual((session["state"], session["right"]), ("done", 1))
        self.assertIn("no scripted answer for role 'coder'", ended.err)


class Live(Scripted):
    """A run that waits for its answers, so that there is time to talk to it."""

    def begin(self, **plan: Any) -> Any:
        process = self.start(*self.prepare(**plan))
        self.wait_until("an assignment", lambda: [
            x for x in self.journal.payloads("request_issued") if x["target"] == "coder"])
        self.wait_until("a socket", (self.folder / "runs/r/control.sock").exists)
        return process

    def test_a_live_run_is_shown_changed_and_stopped(self) -> None:
        process = self.begin(samples=16, delay=1)
        self.check_that_it_is_taken()
        self.check_changes()
        interrupt(process)
        ended = self.finish(process)
        self.assertIn(ended.code, (DONE, NOT_BETTER), str(ended))
        self.assertIn("stopping", ended.out)
        self.assertIn("go on: lathe run --resume runs/r", ended.out)
        self.assertEqual(self.journal.count("session_ended"), 0)
        self.assertIn("it was stopped", (self.folder / "runs/r/report.md").read_text())
        # What went out has been paid for, and is kept.
        self.assertEqual(sorted(x["request"] for x in self.journal.payloads("llm_exchange")),
                         sorted(x["request"] for x in self.journal.payloads("llm_reserved")))
        self.assertEqual(self.journal.count("llm_released"), 0)
        self.assertEqual(self.journal.count("request_failed"), 0)
        self.assertFalse((self.folder / "runs/r/control.sock").exists())

    def check_that_it_is_taken(self) -> None:
        ended = self.lathe("run", "--resume", "runs/r")
        self.assert_sentence(ended, USER_MISTAKE, "process", "runs/r")
        shown = self.lathe("status", "runs/r")
        self.assert_code(shown, DONE)
        self.assertIn("live: process", shown.out)
        (session,) = self.lathe("status", "runs/r", "--json").json["sessions"]
        self.assertEqual(session["task"], "sums")

    def check_changes(self) -> None:
        more = self.write("more.yaml", scripted(samples=16, instances=3))
        ended = self.lathe("apply", "runs/r", more)
        self.assert_code(ended, DONE)
        self.assertIn("coder instances 2 -> 3", ended.out)
        self.assertIn("nothing was changed; add --yes", ended.out)
        self.assertEqual(self.journal.count("topology_changed"), 0)
        ended = self.lathe("apply", "runs/r", more, "--yes")
        self.assert_code(ended, DONE)
        self.assertIn("applied", ended.out)
        self.wait_until("the change", lambda: self.journal.count("topology_changed") == 1)
        ended = self.lathe("apply", "runs/r", more, "--yes")
        self.assert_code(ended, DONE)
        self.assertIn("nothing changes", ended.out)
        other = self.write("other.yaml", scripted(samples=9))
        ended = self.lathe("apply", "runs/r", other, "--yes")
        self.assert_sentence(ended, USER_MISTAKE, "search policy of a live run cannot be changed")
        broken = self.write("broken.yaml", scripted(samples=16).replace("instances", "instanses"))
        ended = self.lathe("apply", "runs/r", broken, "--yes")
        self.assert_code(ended, USER_MISTAKE)
        self.assertIn("broken.yaml:7", ended.err)
        self.assertEqual(ended.err, ended.err.strip() + "\n")
        self.assertEqual(self.journal.count("topology_changed"), 1)

    def test_an_interrupt_after_a_stop_ends_it_at_once(self) -> None:
        process = self.begin(samples=2, delay=600)
        children = descendants(process.pid)
        stopped = self.lathe("stop", "runs/r")
        self.assert_code(stopped, DONE)
        self.assertIn("lathe run --resume runs/r", stopped.out)
        self.wait_until("it has heard", lambda: "stopping" in process.stdout.readline())
        interrupt(process)
        ended = self.finish(process, timeout=20)
        self.assertEqual(ended.code, NOT_BETTER, str(ended))
        self.wait_until("its processes are gone", lambda: all(map(is_gone, children)))
        self.assertEqual(self.journal.count("task_prepared"), 1)
        ended = self.lathe("stop", "runs/r")
        self.assert_sentence(ended, USER_MISTAKE, "runs/r", "not live")


class Killed(Scripted):
    def test_a_killed_run_goes_on_where_it_was(self) -> None:
        process = self.start(*self.prepare(samples=4, delay=0.5))
        self.wait_until("an answer and a verdict", lambda: self.journal.count("llm_exchange") >= 2
                        and self.journal.count("verdict_received") >= 1)
        children = descendants(process.pid)
        self.assertGreater(len(children), 1)
        process.kill()
        self.finish(process)
        self.wait_until("its processes are gone", lambda: all(map(is_gone, children)))
        self.assertEqual(self.journal.count("session_ended"), 0, "it was over before it was killed")
        self.assertIn("not live; go on with", self.lathe("status", "runs/r").out)
        answered = {x["request"]: x for x in self.journal.payloads("llm_exchange")}
        judged = {x["id"]: x for x in self.journal.payloads("verdict_received")}

        resumed = self.lathe("run", "--resume", "runs/r", "--json")
        self.assert_code(resumed, DONE)
        self.assertEqual(self.outcomes(resumed), [
            *((f"coder <- planner idea {i}", "incorrect" if i % 2 == 0 else "correct")
              for i in (1, 2, 3, 4)),
            ("fixer <- coder", "correct"), ("fixer <- coder", "correct")])
        self.assert_paid_once(resumed)
        # A plan, four programs, two of them mended: as many as without an interruption.
        self.assertEqual(resumed.json["sessions"][0]["queries"], 7)
        for kind, key, before in (("llm_exchange", "request", answered),
                                  ("verdict_received", "id", judged)):
            after = {x[key]: x for x in self.journal.payloads(kind)}
            self.assertEqual(len(after), self.journal.count(kind), "something was judged twice")
            self.assertEqual({x: after[x] for x in before}, before)
        self.assertTrue((self.folder / "runs/r/sums_best.py").exists())


class Cut(Scripted):
    """Answers that end at the token limit, under `continue_cut`."""

    def prepare_cut(self, *, delay: float) -> list[str]:
        """The only program comes in two parts; the second one takes its time."""
        command = self.prepare(samples=1)
        topology = scripted(samples=1).replace("role: coder,", "role: coder, continue_cut: true,")
        self.write("t.yaml", topology)
        half, rest = (self.folder / "answers/coder/0.md").read_text().split("torch.ta")
        self.write("answers/coder/0.md", f"finish: length\n{half}torch.ta")
        self.write("answers/coder/rest.md", "match: Follow this idea: Idea 0:\nmatch: Go on exactly "
                   f"where it stopped\ndelay: {delay}\n---\n```python\ntorch.ta{rest}")
        return command

    def test_a_killed_run_asks_for_the_second_part_alone(self) -> None:
        process = self.start(*self.prepare_cut(delay=60))
        self.wait_until("the first part", lambda: self.journal.count("llm_exchange") == 2)
        process.kill()
        self.finish(process)
        before = self.journal.payloads("llm_exchange")
        self.assertEqual(before[1]["finish"], "length")
        text = (self.folder / "runs/r/topology.yaml").read_text()
        self.assertIn("continue_cut", text)
        rest = self.folder / "answers/coder/rest.md"
        rest.write_text(rest.read_text().replace("delay: 60", "delay: 0"))
        resumed = self.lathe("run", "--resume", "runs/r", "--json")
        self.assert_code(resumed, DONE)
        self.assertEqual(self.outcomes(resumed), [("coder <- planner idea 1", "correct")])
        (session,) = resumed.json["sessions"]
        self.assertEqual(session["queries"], 3)  # a plan, and a program in two parts
        asked = self.journal.payloads("llm_exchange")
        self.assertEqual(asked[:2], before)
        self.assertEqual([x["request"] for x in asked[1:]], [asked[1]["request"]] * 2)
        self.assertNotEqual(asked[1]["prompt"], asked[2]["prompt"])
        self.assertEqual((self.folder / "runs/r/sums_best.py").read_text().count("torch.ta"), 1)

    def test_both_parts_are_played_again(self) -> None:
        self.assert_code(self.lathe(*self.prepare_cut(delay=0)), DONE)
        self.assertEqual(self.journal.count("llm_exchange"), 3)
        again = self.lathe("run", "--replay", "runs/r", "--name", "again", "--quiet")
        self.assert_code(again, DONE)
        self.assertIn("the same as runs/r", again.out)


if __name__ == "__main__":
    unittest.main()
