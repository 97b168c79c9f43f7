"""Whole runs played again from their journals: nothing but lathe and the journal is there, and all
comes out the same; where it does not, lathe says where."""

import contextlib
import json
import os
import shutil
import socket
import sqlite3
import struct
import threading
import unittest
from http.server import BaseHTTPRequestHandler
from typing import Any

from lathe_case import (
    DONE,
    ENVIRONMENT_LACKS,
    NOT_BETTER,
    USER_MISTAKE,
    Ended,
    Journal,
    LatheCase,
)
from programs import FASTER, TASK
from provider_test import Server, reply
from topologies import AGENTS, EVALUATOR, answers, scripted

WITH_RECIPES = (
    ("routes:\n", "  recipes: {role: recipe, passes: [trace]}\n"
                  "  profiler: {role: profiler}\nroutes:\n"
                  "  - recipes.candidate -> evaluator\n  - profiler.insight -> search\n"),
    ("task -> planner", "task -> [planner, recipes]"),
    ("evaluator.correct -> search", "evaluator.correct -> [search, profiler]"),
)

SERVED = """version: 1
name: served
models:
  strong:
    provider: openai
    base_url: http://127.0.0.1:PORT/v1
    model: m-1
    api_key: ${LATHE_E2E_KEY}
    stream: false
    sampling: {max_output_tokens: 1000}
    price: {input: 1, output: 10}
    fallback: [cheap]
  cheap:
    provider: openai
    base_url: http://127.0.0.1:PORT/v1
    model: m-2
    api_key: ${LATHE_E2E_KEY}
    stream: false
    sampling: {max_output_tokens: 1000}
    price: {input: 0.1, output: 1}
""" + AGENTS.replace("MODEL", "strong").replace("instances: 2", "instances: 4") + EVALUATOR + """
search: {policy: branching, population: 4, parents: 2}
budget: {queries: 30, usd: 0.12}
"""

KEY = "sk-e2e-very-secret"


def with_recipes(topology: str) -> str:
    for old, new in WITH_RECIPES:
        assert old in topology
        topology = topology.replace(old, new)
    return topology


class Erratic:
    """Answers well, wrong or not at all; refuses and breaks off, by the number of the question."""

    IDEAS = "\n".join(f"- Idea {i}: join the two linear maps." for i in range(8))

    def __init__(self) -> None:
        self.asked = 0
        self.lock = threading.Lock()

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        with self.lock:
            self.asked += 1
            turn = self.asked
        with contextlib.suppress(OSError):  # lathe was killed
            self.answer(handler, turn)

    def answer(self, handler: BaseHTTPRequestHandler, turn: int) -> None:
        if turn % 9 == 4:
            reply(handler, 400, "application/json", '{"error": {"message": "flagged"}}')
        elif turn % 5 == 2:
            handler.send_response(429)
            handler.send_header("Retry-After", "1")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
        elif turn % 7 == 3:
            linger = struct.pack("ii", 1, 0)
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            handler.connection.close()
        else:
            reply(handler, 200, "application/json", json.dumps(self.completion(turn)))

    def completion(self, turn: int) -> Any:
        """It is a list of ideas for who wants ideas, and a program for who wants that."""
        program = FASTER if turn % 3 else FASTER.replace("torch.tanh(x)", "torch.tanh(1.001 * x)")
        text = f"{self.IDEAS}\n\n```python\n# {turn}\n{program}```\n"
        message = {"role": "assistant", "content": text if turn % 8 else self.IDEAS}
        return {"id": "1", "object": "chat.completion", "model": "m",
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 1200, "completion_tokens": 300, "total_tokens": 1500}}


class Replay(LatheCase):
    def replay(self, run: str, name: str, *options: str) -> Ended:
        """Where there is nothing but lathe and the journal."""
        place = self.folder / "elsewhere" / run
        if not place.exists():
            place.mkdir(parents=True)
            for file in (self.folder / "runs" / run).glob("journal.sqlite*"):
                shutil.copy(file, place)
        nothing = {"PATH": "", "LATHE_PYTHON": "/nowhere/python", "LATHE_CONFIGS": "/nowhere"}
        return self.lathe("run", "--replay", f"elsewhere/{run}", "--name", name, "--quiet",
                          *options, env=nothing)

    def contents(self, run: str) -> Any:
        """All of a journal but its times."""
        journal = Journal(self.folder / run)
        events = journal.query("select seq, session, kind, payload from event order by seq")
        self.assertGreater(len(events), 10)
        return events, journal.query("select hash, data from blob order by hash")

    def assert_same(self, run: str, name: str) -> None:
        ended = self.replay(run, name)
        self.assert_code(ended, DONE)
        recorded = self.contents(f"runs/{run}")
        self.assertRegex(ended.out, f"^replayed: {len(recorded[0])} events, the same as "
                                    f"elsewhere/{run}")
        self.assertEqual(recorded, self.contents(f"runs/{name}"))

    def edit(self, run: str, sql: str, *values: str) -> None:
        """Has SQLite edit the copy of a journal."""
        connection = sqlite3.connect(self.folder / "elsewhere" / run / "journal.sqlite")
        with connection:
            connection.execute(sql, values)
        connection.close()

    def change(self, run: str, old: str, new: str, kind: str = "session_started") -> None:
        """Has events of a kind, in the copy of a journal, say something else."""
        self.edit(run, "update event set payload = replace(payload, ?, ?) where kind = ?",
                  old, new, kind)


class Scripted(Replay):
    def record(self, samples: int) -> None:
        answers(self, ideas=samples)
        (self.folder / "answers/coder/2.md").unlink()  # a question that is refused
        self.write("answers/coder/0.md", "match: Follow this idea: Idea 0:\n---\nI cannot.\n")
        plan = self.write("t.yaml", with_recipes(scripted(samples=samples, instances=4)))
        ended = self.lathe("run", plan, "--task", self.write("sums.py", TASK), "--name", "r", "-q")
        self.assert_code(ended, DONE)

    def test_a_run_comes_out_the_same_three_times(self) -> None:
        self.record(samples=4)
        for turn in range(3):
            self.assert_same("r", f"again-{turn}")
        self.assertTrue((self.folder / "runs/again-0/sums_best.py").exists())
        self.check_partings()

    def check_partings(self) -> None:
        self.change("r", '"samples":4', '"samples":2')
        ended = self.replay("r", "fewer")
        self.assert_code(ended, NOT_BETTER)
        self.assertRegex(ended.out, r"^runs/fewer parts from elsewhere/r at event \d+ "
                                    r"\(request_issued of task 'sums'\): it is not written now")
        self.change("r", '"samples":2', '"samples":4')
        self.change("r", "Follow this idea", "Follow that idea")
        ended = self.replay("r", "prompt", "--json")
        self.assert_code(ended, NOT_BETTER)
        self.assertFalse(ended.json["same"])
        self.assertIn("the prompt of agent 'coder' differs first in line", ended.json["parting"])
        self.assertIn("now \"Follow that idea", ended.json["parting"])

    def test_a_journal_may_come_from_anybody(self) -> None:
        self.record(samples=4)
        self.assert_same("r", "again")
        shutil.copy(self.folder / "runs/r/topology.yaml", self.folder / "elsewhere/r")
        self.change("r", '"provider_failed"', '"somebody_newer"', kind="request_failed")
        self.assert_refused(ENVIRONMENT_LACKS, "somebody_newer", "this version does not know")
        self.change("r", '"somebody_newer"', '"provider_failed"', kind="request_failed")
        self.change("r", '"name":"sums"', '"name":"../../evil"')
        self.assert_refused(USER_MISTAKE, 'begins the session "sums" with the task "../../evil"')
        self.edit("r", "update event set session = '../../evil' where session = 'sums'")
        self.assert_refused(USER_MISTAKE, 'its session "../../evil"', "the name of a file")
        self.assertEqual(list(self.folder.rglob("evil*")), [])
        self.edit("r", "delete from event where kind = 'session_started'")
        self.assert_refused(USER_MISTAKE, "a session that has not begun")

    def assert_refused(self, code: int, *parts: str) -> None:
        self.assert_sentence(self.lathe("status", "elsewhere/r"), code, *parts)
        self.assert_sentence(self.lathe("run", "--resume", "elsewhere/r"), code, *parts)
        self.assert_sentence(self.replay("r", "other"), code, *parts)

    def test_what_is_no_run_is_a_mistake(self) -> None:
        self.assert_sentence(self.lathe("run", "--replay", "."), USER_MISTAKE, "journal.sqlite")
        self.assert_sentence(self.lathe("run", "--replay", "nowhere"), USER_MISTAKE, "nowhere")
        for other in (["sums.py"], ["--replay-pace", "1"]):
            ended = self.lathe("run", "--replay", ".", *other)
            self.assert_sentence(ended, USER_MISTAKE, "name no others")


class Served(Replay):
    """Several agents and tasks, a server that fails, too little money."""

    def start_run(self) -> Any:
        server = Server(Erratic())
        self.addCleanup(server.close)
        plan = self.write("t.yaml", with_recipes(SERVED.replace("PORT", str(server.port))))
        tasks = [self.write(f"sums{i}.py", TASK) for i in range(2)]
        return self.start("run", plan, "--task", *tasks, "--name", "r", "-q",
                          env={**os.environ, "LATHE_E2E_KEY": KEY})

    def test_failures_and_budgets_come_again(self) -> None:
        ended = self.finish(self.start_run())
        self.assertIn(ended.code, (DONE, NOT_BETTER), str(ended))
        journal = Journal(self.folder / "runs/r")
        self.assertGreater(journal.count("llm_lost"), 0)
        self.assertGreater(journal.count("llm_released"), 0)
        self.assertIn("cheap", {x["model"] for x in journal.payloads("llm_exchange")})
        self.assertIn("budget_exhausted", {x["code"] for x in journal.payloads("request_failed")})
        reasons = {x["reason"] for x in journal.payloads("session_ended")}
        self.assertRegex(" ".join(reasons), r"\$0\.\d+ of \$0\.12; another call")
        for turn in range(3):
            self.assert_same("r", f"again-{turn}")
        self.change("r", '"usd":0.12', '"usd":0.06')
        ended = self.replay("r", "poorer")
        self.assert_code(ended, NOT_BETTER)
        self.assertRegex(ended.out, "^runs/poorer parts from elsewhere/r at event")

    def test_a_run_that_was_killed_while_a_stand_in_was_asked_comes_again_as_a_whole(self) -> None:
        works = threading.Event()

        def answer(handler: BaseHTTPRequestHandler) -> None:
            if not handler.path.startswith("/cheap"):
                reply(handler, 400, "application/json", '{"error": {"message": "flagged"}}')
            elif works.is_set():
                reply(handler, 200, "application/json", json.dumps(Erratic().completion(1)))
            else:
                with contextlib.suppress(OSError):  # lathe was killed
                    reply(handler, 500, "application/json", '{"error": {"message": "down"}}')

        server = Server(answer)
        self.addCleanup(server.close)
        first, stand_in = SERVED.split("  cheap:\n")
        served = first + "  cheap:\n" + stand_in.replace("PORT/v1", "PORT/cheap/v1")
        served = served.replace("PORT", str(server.port)).replace("queries: 30", "queries: 2")
        process = self.start("run", self.write("t.yaml", served), "--task",
                             self.write("sums.py", TASK), "--name", "r", "-q",
                             env={**os.environ, "LATHE_E2E_KEY": KEY})
        journal = Journal(self.folder / "runs/r")
        self.wait_until("a stand-in", lambda: journal.count("llm_reserved") == 2)
        process.kill()
        process.wait()
        works.set()
        resumed = self.lathe("run", "--resume", "runs/r", "-q",
                             env={**os.environ, "LATHE_E2E_KEY": KEY})
        self.assertIn(resumed.code, (DONE, NOT_BETTER), str(resumed))
        asked = [x["model"] for x in journal.payloads("llm_reserved")]
        self.assertEqual(asked[:4], ["strong", "cheap", "strong", "cheap"])
        self.assert_same("r", "again")

    def test_a_run_that_was_killed_comes_again_up_to_there_and_when_it_was_finished(self) -> None:
        process = self.start_run()
        journal = Journal(self.folder / "runs/r")
        self.wait_until("answers", lambda: journal.count("verdict_received") > 3)
        process.kill()
        process.wait()
        self.assert_same("r", "cut")
        self.assertIn("which was not finished", self.replay("r", "cut-again").out)


if __name__ == "__main__":
    unittest.main()
