"""Runs whose coders are asked through a mailbox: suspended, answered, taken up, killed, moved."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import unittest
from pathlib import Path
from typing import Any, Callable, Iterator

from lathe_case import (
    DONE,
    NOT_BETTER,
    SUSPENDED,
    USER_MISTAKE,
    Ended,
    Journal,
    LatheCase,
    interrupt,
)
from programs import FASTER, TASK
from topologies import AGENTS, EVALUATOR

MODELS = """models:
  script: {provider: scripted, answers: answers}
  box: {provider: mailbox, model: m-1, price: {input: 1, output: 10}KEYS}
"""


def program_for(prompt: str) -> str:
    """What a good model answers: ideas with odd numbers go wrong at first, and are mended."""
    number = idea_in(prompt)
    wrong = number % 2 == 1 and "# idea" not in prompt
    text = FASTER.replace("torch.tanh(x)", "torch.tanh(1.001 * x)") if wrong else FASTER
    return f"Joined.\n\n```python\n# idea {number}\n{text}```\n"


def line(custom_id: str, text: str) -> dict[str, Any]:
    """As a batch endpoint writes it."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text},
              "finish_reason": "stop"}
    body = {"id": "x", "object": "chat.completion", "model": "m-1-2026", "choices": [choice],
            "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}}
    return {"id": f"batch_req_{custom_id}", "custom_id": custom_id, "error": None,
            "response": {"status_code": 200, "request_id": "r", "body": body}}


def documents(file: Path) -> Iterator[dict[str, Any]]:
    """What is JSON in a file of lines."""
    for text in file.read_text().splitlines():
        with contextlib.suppress(json.JSONDecodeError):
            yield json.loads(text)


def idea_in(prompt: str) -> int:
    found = re.search(r"# idea (\d+)", prompt) or re.search(r"Follow this idea: Idea (\d+):", prompt)
    assert found is not None
    return int(found[1])


class Mailbox(LatheCase):
    def prepare(self, *, samples: int, keys: str = "", budget: str = "queries: 50") -> list[str]:
        """Writes task, ideas and topology; returns the command that runs them as `runs/r`."""
        ideas = "\n".join(f"- Idea {i}: join the two linear maps." for i in range(samples))
        self.write("answers/planner/plan.md", f"---\n{ideas}\n")
        agents = AGENTS.replace("MODEL", "script", 1).replace("MODEL", "box")
        topology = (f"version: 1\nname: mixed\n{MODELS.replace('KEYS', keys)}{agents}{EVALUATOR}"
                    f"search: {{policy: best_of, samples: {samples}}}\nbudget: {{{budget}}}\n")
        return ["run", self.write("t.yaml", topology), "--task", self.write("sums.py", TASK),
                "--name", "r"]

    def box(self, run: str = "runs/r") -> Path:
        return self.folder / run / "mailbox/box"

    def requests(self, run: str = "runs/r") -> list[dict[str, Any]]:
        file = self.box(run) / "requests.jsonl"
        return [*documents(file)] if file.exists() else []

    def answer(self, run: str = "runs/r", file: str = "responses.jsonl",
               only: Callable[[str], bool] = lambda _: True) -> int:
        """Plays the batch endpoint for what has no answer so far; returns to how many."""
        known = {x["custom_id"] for path in self.box(run).glob("responses*.jsonl")
                 for x in documents(path) if (x["response"] or {}).get("status_code") == 200}
        asked = {x["custom_id"]: x["body"]["messages"][-1]["content"] for x in self.requests(run)}
        fresh = [x for x, prompt in asked.items() if x not in known and only(prompt)]
        with (self.box(run) / file).open("a") as out:
            out.writelines(json.dumps(line(x, program_for(asked[x]))) + "\n" for x in fresh)
        return len(fresh)

    def assert_suspended(self, ended: Ended, questions: int, run: str = "runs/r") -> None:
        plural = "" if questions == 1 else "s"
        self.assert_sentence(ended, SUSPENDED, f"suspended: it waits for {questions} question{plural} in",
                             f"{run}/mailbox/box/requests.jsonl",
                             f"{run}/mailbox/box/responses.jsonl",
                             f"go on with: lathe run --resume {run}")

    def assert_asked_once(self, run: str = "runs/r") -> None:
        """Whatever happened: each question is there once, and was journaled once."""
        ids = [x["custom_id"] for x in self.requests(run)]
        self.assertEqual(len(ids), len(set(ids)))
        journal = Journal(self.folder / run)
        issued = [x["id"] for x in journal.payloads("request_issued")
                  if x["target"] in ("coder", "fixer")]
        self.assertEqual(sorted(int(x.split("-")[1]) for x in ids), sorted(issued))
        asked = [x["request"] for x in journal.payloads("llm_exchange")]
        self.assertEqual(len(asked), len(set(asked)))


class Suspended(Mailbox):
    def test_a_run_waits_for_answers_and_goes_on_with_them(self) -> None:
        ended = self.lathe(*self.prepare(samples=1), "--json")
        self.assert_code(ended, SUSPENDED)
        (session,) = ended.json["sessions"]
        self.assertEqual((session["state"], session["queries"]), ("suspended", 2))
        self.assertIn("suspended: it waits for 1 question in runs/r/mailbox/box/requests.jsonl",
                      ended.err)
        self.assertIn("suspended", (self.folder / "runs/r/report.md").read_text())
        shown = self.lathe("status", "runs/r")
        self.assertIn("go on with: lathe run --resume runs/r", shown.out)
        self.assertIn("suspended: it waits for 1 question", shown.out)
        (asked,) = self.requests()
        self.assertEqual((asked["method"], asked["url"]), ("POST", "/v1/chat/completions"))
        self.assertRegex(asked["custom_id"], r"^sums-\d+-[0-9a-f]{12}$")
        self.assertEqual(asked["body"]["model"], "m-1")
        self.assertNotIn("stream", asked["body"])
        self.answer()
        resumed = self.lathe("run", "--resume", "runs/r", "--json")
        self.assert_code(resumed, DONE)
        (session,) = resumed.json["sessions"]
        self.assertEqual((session["state"], session["right"]), ("done", 1))
        self.assertAlmostEqual(session["usd"], 0.002)
        self.assert_asked_once()


class Rounds(Mailbox):
    def test_a_run_that_was_copied_goes_on_until_it_is_done(self) -> None:
        ended = self.lathe(*self.prepare(samples=4), "--quiet")
        self.assert_suspended(ended, 4)
        self.spoil()
        self.assert_suspended(self.lathe("run", "--resume", "runs/r", "--quiet"), 3)
        shutil.copytree(self.folder / "runs/r", self.folder / "elsewhere/r")
        shutil.rmtree(self.folder / "runs")
        run = "elsewhere/r"
        rounds = 0
        while self.answer(run, f"responses-{rounds}.jsonl"):
            ended = self.lathe("run", "--resume", run, "--quiet")
            rounds += 1
            if ended.code != SUSPENDED:
                break
            self.assert_suspended(ended, 2, run)
        self.assertEqual((rounds, ended.code), (2, DONE), str(ended))
        (session,) = self.lathe("status", run, "--json").json["sessions"]
        self.assertEqual((session["state"], session["queries"]), ("done", 7))
        self.assertEqual((session["right"], session["wrong"]), (4, 2), session)
        self.assert_asked_once(run)

    def spoil(self) -> None:
        """One good answer, among all that can go wrong."""
        ids = {idea_in(x["body"]["messages"][-1]["content"]): x["custom_id"] for x in self.requests()}
        limit = {"custom_id": ids[1], "error": None, "response": {
            "status_code": 429, "body": {"error": {"message": "slow down"}}}}
        expired = {"custom_id": ids[2], "response": None, "error": {
            "code": "batch_expired", "message": "not executed in time"}}
        lines = ["nonsense", *map(json.dumps, (limit, expired, line("sums-99-0", "unknown")))]
        (self.box() / "responses.jsonl").write_text("\n".join(lines) + "\n")
        half = json.dumps(line(ids[3], "cut"))[:-20]
        (self.box() / "responses-2.jsonl").write_text(half)
        self.answer(only=lambda prompt: idea_in(prompt) == 0)

    def test_a_refused_question_ends_its_line_of_work(self) -> None:
        self.lathe(*self.prepare(samples=2), "--quiet")
        (bad,) = (x["custom_id"] for x in self.requests()
                  if idea_in(x["body"]["messages"][-1]["content"]) == 0)
        refusal = {"id": "x", "custom_id": bad, "error": None, "response": {
            "status_code": 400, "body": {"error": {"message": "too long for m-1"}}}}
        (self.box() / "responses.jsonl").write_text(json.dumps(refusal) + "\n")
        for code in (SUSPENDED, DONE):
            self.answer(only=lambda prompt: idea_in(prompt) == 1)
            ended = self.lathe("run", "--resume", "runs/r", "--json")
            self.assert_code(ended, code)
        (failed,) = Journal(self.folder / "runs/r").payloads("request_failed")
        self.assertIn("too long for m-1", failed["reason"])
        self.assertIn("too long for m-1", ended.json["sessions"][0]["reason"])

    def test_a_question_that_the_budget_does_not_allow_is_not_posted(self) -> None:
        # 0.16 at most for what each puts out, and a little for its prompt.
        ended = self.lathe(*self.prepare(samples=4, budget="usd: 0.50"), "--quiet")
        self.assert_suspended(ended, 4)
        self.assertEqual(len(self.requests()), 3)
        self.answer()
        self.assert_code(self.lathe("run", "--resume", "runs/r", "--quiet"), SUSPENDED)
        self.assertGreater(len(self.requests()), 3, "what was not spent is enough for more")


class Lingering(Mailbox):
    def begin(self, samples: int, *options: str) -> Any:
        process = self.start(*self.prepare(samples=samples, keys=", wait: 1h"), *options)
        self.wait_until("all is posted", lambda: len(self.requests()) == samples)
        return process

    def test_answers_that_come_while_it_works_are_used_recorded_and_replayed(self) -> None:
        process = self.begin(2, "--json", "--record", "talk.jsonl")
        self.answer()
        self.wait_until("one is to be mended", lambda: len(self.requests()) == 3)
        self.answer()
        ended = self.finish(process)
        self.assert_code(ended, DONE)
        self.assertEqual(Journal(self.folder / "runs/r").count("session_suspended"), 0)
        self.assert_asked_once()
        again = self.lathe("run", "t.yaml", "--task", "sums.py", "--name", "again", "--json",
                           "--replay", "talk.jsonl", "--replay-by", "order")
        self.assert_code(again, DONE)
        (session,) = again.json["sessions"]
        self.assertEqual((session["right"], session["wrong"]), (2, 1), session)
        self.assertFalse((self.folder / "runs/again/mailbox").exists())

    def test_a_killed_run_asks_nothing_twice(self) -> None:
        process = self.begin(3)
        self.answer(only=lambda prompt: idea_in(prompt) == 0)
        journal = Journal(self.folder / "runs/r")
        self.wait_until("an answer is in the journal", lambda: journal.count("llm_exchange") == 2)
        process.kill()
        self.finish(process)
        with (self.box() / "requests.jsonl").open("a") as file:
            file.write('{"custom_id":"sums-9')  # as a crash in the middle leaves it
        resumed = self.start("run", "--resume", "runs/r", "--json")
        self.answer()
        self.wait_until("one is to be mended", lambda: len(self.requests()) == 4)
        self.answer()
        ended = self.finish(resumed)
        self.assert_code(ended, DONE)
        (session,) = ended.json["sessions"]
        self.assertEqual((session["right"], session["wrong"]), (3, 1), session)
        self.assert_asked_once()

    def test_an_interrupt_does_not_wait_for_answers(self) -> None:
        process = self.begin(1)
        interrupt(process)
        ended = self.finish(process, timeout=60)
        self.assert_code(ended, NOT_BETTER)
        self.assertIn("go on: lathe run --resume runs/r", ended.out)

    def test_a_mailbox_is_for_one_run_at_a_time(self) -> None:
        command = self.prepare(samples=1, keys=", wait: 1h, folder: shared")
        process = self.start(*command)
        posted = self.folder / "shared/requests.jsonl"
        self.wait_until("it is posted", lambda: posted.exists() and posted.stat().st_size > 0)
        second = self.lathe(*command[:-1], "second")
        self.assert_sentence(second, USER_MISTAKE, "shared", "in use by another run", "folder")
        self.assertFalse((self.folder / "runs/second").exists())
        interrupt(process)
        self.finish(process, timeout=60)


if __name__ == "__main__":
    unittest.main()
