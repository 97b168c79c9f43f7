"""Servers that do not do what an LLM server does: the run says which and why, and loses nothing."""

import json
import os
import socket
import struct
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from lathe_case import (
    DONE,
    ENVIRONMENT_LACKS,
    NOT_BETTER,
    USER_MISTAKE,
    Ended,
    Journal,
    LatheCase,
    interrupt,
)
from programs import FASTER, TASK
from topologies import EVALUATOR

TOPOLOGY = """version: 1
name: served
models:
  strong:
    provider: openai
    base_url: http://127.0.0.1:PORT/v1
    model: m-1
    api_key: ${LATHE_E2E_KEY}
agents:
  coder: {role: coder, model: strong, prompt: prompts/coder.md}
  recipes: {role: recipe, passes: [trace]}
routes:
  - task -> recipes
  - recipes.candidate -> evaluator
  - search.assignment -> coder
  - coder.candidate -> evaluator
  - evaluator.correct -> search
search: {policy: best_of, samples: 1}
budget: {queries: 1}
""" + EVALUATOR

KEY = "sk-e2e-very-secret"


class Server:
    """A local HTTP server whose answers are a function of the request's body."""

    def __init__(self, answer: Any, port: int = 0) -> None:
        self.requests: list[Any] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                server.requests.append((dict(self.headers), json.loads(body)))
                answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()


def reply(handler: BaseHTTPRequestHandler, status: int, kind: str, text: str) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(text.encode())))
    handler.end_headers()
    handler.wfile.write(text.encode())


def refuses_the_key(handler: BaseHTTPRequestHandler) -> None:
    reply(handler, 401, "application/json", '{"error": {"message": "Incorrect API key provided"}}')


def answers_html(handler: BaseHTTPRequestHandler) -> None:
    reply(handler, 200, "text/html", "<html><body>Sign in to the guest network</body></html>")


def resets(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


def answers(handler: BaseHTTPRequestHandler) -> None:
    message = {"role": "assistant", "content": f"Joined.\n\n```python\n{FASTER}```\n"}
    document = {
        "id": "1",
        "object": "chat.completion",
        "model": "m-1",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1200, "completion_tokens": 300, "total_tokens": 1500},
    }
    reply(handler, 200, "application/json", json.dumps(document))


class Provider(LatheCase):
    def ask(self, port: int, *options: str) -> Ended:
        topology = self.write("t.yaml", TOPOLOGY.replace("PORT", str(port)))
        ended = self.lathe("run", topology, "--task", self.write("sums.py", TASK), "--name", "r",
                           *(options or ["--json"]), env={**os.environ, "LATHE_E2E_KEY": KEY})
        self.assertNotIn(KEY, ended.out + ended.err)
        for file in (self.folder / "runs/r").iterdir():
            if file.is_file():
                self.assertNotIn(KEY.encode(), file.read_bytes(), file.name)
        return ended

    def serve(self, answer: Any) -> Server:
        server = Server(answer)
        self.addCleanup(server.close)
        return server


class Draining(Provider):
    """Of what waits for agents and for the model's limits, nothing more goes out when a run is
    stopped or its time is up."""

    ASKED_AT_ONCE = 2

    def begin(self, budget: str, tasks: int = 1) -> tuple[Any, Server, threading.Event]:
        """Starts a run that asks for more candidates than agents can work on, and waits until they
        have asked; returns the run, the server, and what lets the server answer."""
        go = threading.Event()
        self.addCleanup(go.set)

        def answers_then(handler: BaseHTTPRequestHandler) -> None:
            go.wait()
            answers(handler)

        server = self.serve(answers_then)
        text = TOPOLOGY.replace("PORT", str(server.port)).replace("samples: 1", "samples: 6")
        text = text.replace("m-1\n", f"m-1\n    limits: {{in_flight: {self.ASKED_AT_ONCE}}}\n")
        text = text.replace("coder, model: strong", "coder, instances: 4, model: strong")
        text = text.replace("{queries: 1}", budget)
        names = [self.write(f"sums{i}.py", TASK) for i in range(tasks)]
        run = self.start("run", self.write("t.yaml", text), "--name", "r", "--task", *names,
                         env={**os.environ, "LATHE_E2E_KEY": KEY})
        self.wait_until("questions", lambda: len(server.requests) == self.ASKED_AT_ONCE)
        return run, server, go

    def count(self, kind: str) -> int:
        return Journal(self.folder / "runs/r").count(kind)

    def test_a_stop_lets_nothing_more_go_out(self) -> None:
        run, server, go = self.begin("{queries: 40}", tasks=2)
        self.wait_until("requests", lambda: self.count("request_issued") >= 12)
        interrupt(run)
        self.wait_until("it has heard", lambda: "stopping" in run.stdout.readline())
        go.set()
        ended = self.finish(run)
        self.assertIn(ended.code, (DONE, NOT_BETTER), str(ended))
        self.assertEqual(len(server.requests), self.ASKED_AT_ONCE)
        self.assertEqual(self.count("llm_exchange"), self.ASKED_AT_ONCE)
        self.assertEqual(self.count("request_failed"), 0)
        resumed = self.lathe("run", "--resume", "runs/r", "--json",
                             env={**os.environ, "LATHE_E2E_KEY": KEY})
        self.assert_code(resumed, DONE)
        self.assertEqual([x["queries"] for x in resumed.json["sessions"]], [6, 6])
        self.assertEqual(len(server.requests), 12, "none is asked twice, none forgotten")

    def test_time_that_is_up_lets_nothing_more_go_out(self) -> None:
        run, server, go = self.begin("{wall: 4s}")
        self.wait_until("time is up", lambda: self.count("request_failed") > 0)
        go.set()
        ended = self.finish(run)
        self.assertIn(ended.code, (DONE, NOT_BETTER), str(ended))
        self.assertEqual(len(server.requests), self.ASKED_AT_ONCE)
        (over,) = Journal(self.folder / "runs/r").payloads("session_ended")
        self.assertEqual(over["reason"], "the budget of 4 s is used up")


class Answering(Provider):
    def test_an_answer_becomes_a_candidate(self) -> None:
        server = self.serve(answers)
        ended = self.ask(server.port)
        self.assert_code(ended, DONE)
        (session,) = ended.json["sessions"]
        self.assertEqual(session["queries"], 1)
        self.assertIn("coder", session["how"])
        ((headers, body),) = server.requests
        self.assertEqual(headers["Authorization"], f"Bearer {KEY}")
        self.assertEqual(body["model"], "m-1")
        self.assertEqual([x["role"] for x in body["messages"]], ["system", "user"])
        self.assertIn("class Model(nn.Module)", body["messages"][0]["content"])
        self.assertIn("What to do", body["messages"][1]["content"])

    def test_a_refused_key_ends_the_run_and_is_the_users_to_mend(self) -> None:
        server = self.serve(lambda handler: behaviour(handler))
        behaviour = refuses_the_key
        refused = self.ask(server.port)
        self.assert_code(refused, USER_MISTAKE)
        for part in ("model 'strong'", "401", "Incorrect API key", "lathe run --resume runs/r"):
            self.assertIn(part, refused.err)
        self.assertEqual(len(server.requests), 1, "a wrong key does not get right by asking again")
        behaviour = answers
        ended = self.lathe("run", "--resume", "runs/r", "--json",
                           env={**os.environ, "LATHE_E2E_KEY": KEY})
        self.assert_code(ended, DONE)
        self.assertEqual(ended.json["sessions"][0]["queries"], 1)


class Recorded(Provider):
    def replay(self, *options: str) -> Ended:
        """Without a key, and without a server."""
        return self.lathe("run", "t.yaml", "--task", "sums.py", "--name", "again", "--json",
                          "--replay", "talk.jsonl", *options)

    def test_a_recorded_run_is_replayed_without_a_key_or_a_server(self) -> None:
        server = self.serve(answers)
        self.assert_code(self.ask(server.port, "--json", "--record", "talk.jsonl"), DONE)
        recording = self.folder / "talk.jsonl"
        self.assertNotIn(KEY, recording.read_text())
        self.assertEqual(recording.stat().st_mode & 0o777, 0o600)
        server.close()
        ended = self.replay("--replay-by", "order")
        self.assert_code(ended, DONE)
        (session,) = ended.json["sessions"]
        self.assertIn("coder", " ".join(x["origin"] for x in session["candidates"]))
        self.assertEqual(len(server.requests), 1)
        first, again = (Journal(self.folder / "runs" / name).payloads("llm_exchange")
                        for name in ("r", "again"))
        for exchange in first + again:
            del exchange["seconds"]
            del exchange["prompt"]  # holds times
        self.assertEqual(first, again)

    def test_answers_can_take_the_time_that_they_took(self) -> None:
        server = self.serve(answers)
        self.write("talk.jsonl", "")
        self.assert_code(self.ask(server.port, "--json", "--record", "talk.jsonl"), DONE)
        recording = self.folder / "talk.jsonl"
        self.assertEqual(recording.stat().st_mode & 0o777, 0o600, "it was there, for anybody")
        header, line = map(json.loads, recording.read_text().splitlines())
        line["answer"]["seconds"] = 1.5
        self.write("talk.jsonl", f"{json.dumps(header)}\n{json.dumps(line)}\n")
        self.assert_code(self.replay("--replay-by", "order", "--replay-pace", "0.5"), DONE)
        times = dict(Journal(self.folder / "runs/again").query(
            "select kind, time from event where kind in ('llm_reserved', 'llm_exchange')"))
        self.assertGreaterEqual(times["llm_exchange"] - times["llm_reserved"], 0.7)

    def test_what_is_no_recording_is_a_mistake(self) -> None:
        self.write("t.yaml", TOPOLOGY.replace("PORT", "1"))
        self.write("sums.py", TASK)
        self.assert_sentence(self.replay(), USER_MISTAKE, "talk.jsonl")
        self.write("talk.jsonl", "{}\n")
        self.assert_sentence(self.replay(), USER_MISTAKE, "talk.jsonl:1")
        ended = self.replay("--replay-pace", "-1")
        self.assert_code(ended, USER_MISTAKE)
        self.assertIn("--replay-pace", ended.err)
        self.assertFalse((self.folder / "runs").exists())


class Crashing(Provider):
    """SIGKILL while calls are out: nobody knows what they will cost."""

    def test_calls_that_were_out_count_at_their_most(self) -> None:
        may_answer = threading.Event()

        def answers_later(handler: BaseHTTPRequestHandler) -> None:
            may_answer.wait(60)
            answers(handler)

        server = self.serve(answers_later)
        self.addCleanup(may_answer.set)
        costly = TOPOLOGY.replace(
            "    api_key:", "    sampling: {max_output_tokens: 1000}\n"
            "    price: {input: 0, output: 100}\n    api_key:")  # $0.10 at most, $0.03 as answered
        costly = costly.replace("role: coder,", "role: coder, instances: 8,")
        costly = costly.replace("samples: 1}", "samples: 8}").replace("queries: 1", "usd: 0.30")
        topology = self.write("t.yaml", costly.replace("PORT", str(server.port)))
        environment = {**os.environ, "LATHE_E2E_KEY": KEY}
        process = self.start("run", topology, "--task", self.write("sums.py", TASK), "--name", "r",
                             "--quiet", env=environment)
        self.wait_until("as many calls are out as there is money for",
                        lambda: len(server.requests) == 3)
        process.kill()
        process.wait()
        spending = self.spending(self.lathe("status", "runs/r", "--json"))
        self.assertAlmostEqual(spending["reserved_usd"], 0.3)
        may_answer.set()
        resumed = self.lathe("run", "--resume", "runs/r", "--json", env=environment)
        self.assertIn(resumed.code, (DONE, NOT_BETTER), str(resumed))
        self.assertEqual(len(server.requests), 3, "all the money may be gone")
        self.assertAlmostEqual(self.spending(resumed)["usd"], 0.3)
        self.assertIn("$0.3000 of $0.30", resumed.json["sessions"][0]["reason"])

    def spending(self, ended: Ended) -> Any:
        """Of the whole run."""
        (result,) = [x for x in ended.json["spending"]
                     if not x["task"] and not x["agent"] and not x["model"]]
        return result


class Retrying(Provider):
    """These wait between attempts, for half a minute and more."""

    def check(self, ended: Ended, *parts: str) -> None:
        """The last failure is told; what needs no server was done all the same."""
        self.assertIn(ended.code, (DONE, NOT_BETTER), str(ended))
        (failed,) = Journal(self.folder / "runs/r").payloads("request_failed")
        (session,) = ended.json["sessions"]
        report = (self.folder / "runs/r/report.md").read_text()
        for part in ("model 'strong' (m-1)", *parts, "gave up after attempt"):
            for text in (failed["reason"], session["reason"], report, ended.err):
                self.assertIn(part, text)
        self.assertIn("recipe", " ".join(x["origin"] for x in session["candidates"]))

    def test_a_page_instead_of_an_answer_is_told(self) -> None:
        self.check(self.ask(self.serve(answers_html).port), "an HTML page instead of JSON")

    def test_a_server_that_resets_is_asked_again(self) -> None:
        server = self.serve(resets)
        self.check(self.ask(server.port))
        self.assertGreater(len(server.requests), 1)

    def test_a_server_that_is_not_there_ends_the_run_until_it_is(self) -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            port = closed.getsockname()[1]
        ended = self.ask(port, "--quiet")
        self.assert_sentence(ended, ENVIRONMENT_LACKS, "model 'strong' (m-1)", f"127.0.0.1:{port}",
                             "gave up after attempt", "lathe run --resume runs/r")
        self.assertEqual(Journal(self.folder / "runs/r").count("session_ended"), 0)
        server = Server(answers, port)
        self.addCleanup(server.close)
        resumed = self.lathe("run", "--resume", "runs/r", "--json",
                             env={**os.environ, "LATHE_E2E_KEY": KEY})
        self.assert_code(resumed, DONE)
        (session,) = resumed.json["sessions"]
        self.assertEqual(session["queries"], 1)
        self.assertIn("coder", session["how"], session)


if __name__ == "__main__":
    unittest.main()
