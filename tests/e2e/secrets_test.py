"""Keys and passwords stay where they belong, whatever servers and proxies do with them.

A server that is its own proxy gets everything to see, and repeats it in all ways that it finds.
Then every byte that is left is searched.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import resource
import signal
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Callable, Iterable
from urllib.parse import quote

from lathe_case import (
    DONE,
    ENVIRONMENT_LACKS,
    LATHE,
    NOT_BETTER,
    USER_MISTAKE,
    Ended,
    LatheCase,
    descendants,
)
from programs import FASTER, TASK
from topologies import EVALUATOR

# With signs that JSON and URLs escape.
KEY = 'sk-env/"Qx7+Zt4=w9-0123456789'
FILE_KEY = "sk-file/Rm3+Yk8=v2-9876543210"
PASSWORD = "proxy/Lp5+Hd6=u1@password"
CREDENTIALS = base64.b64encode(f"me:{PASSWORD}".encode()).decode()
FROM_ENVIRONMENT = "api_key: '${LATHE_E2E_KEY}'"
MARK = "server-was-here"  # beside whatever a server repeats: the search looks in the right places

TOPOLOGY = """version: 1
models:
MODELS
agents:
  coder: {role: coder, model: MODEL, prompt: prompts/coder.md}
routes:
  - search.assignment -> coder
  - coder.candidate -> evaluator
  - evaluator.correct -> search
search: {policy: best_of, samples: 1}
budget: {queries: 1}
""" + EVALUATOR


def spellings(secret: str) -> Iterable[str]:
    """The secret as anybody might write it, and pieces of it."""
    yield from (json.dumps(secret)[1:-1], json.dumps(secret)[1:-1].replace("/", "\\/"))
    yield "".join(f"\\u{ord(x):04x}" for x in secret)
    yield from (quote(secret, safe=""), quote(secret, safe="").lower())
    yield base64.b64encode(secret.encode()).decode().rstrip("=")
    yield from (secret[i:i + 10] for i in range(len(secret) - 9))


SPELLINGS = {x.encode() for secret in (KEY, FILE_KEY, PASSWORD, CREDENTIALS)
             for x in spellings(secret)}


# -- a server that repeats what it hears ----------------------------------------------------


def heard(handler: BaseHTTPRequestHandler) -> str:
    """All secrets that came with a request, in many spellings."""
    found = []
    if bearer := handler.headers["Authorization"]:
        found.append(bearer.removeprefix("Bearer "))
    if basic := handler.headers["Proxy-Authorization"]:
        found.append(basic.removeprefix("Basic "))
        found.append(base64.b64decode(found[-1]).decode().partition(":")[2])
    spelt = [y for x in found for y in (x, quote(x, safe=""), json.dumps(x).replace("/", "\\/"))]
    return " ".join([MARK, *spelt, MARK])


def send(handler: BaseHTTPRequestHandler, status: int, kind: str, body: str,
         **headers: str) -> None:
    handler.send_response(status)
    for name, value in {"Content-Type": kind, "Content-Length": str(len(body.encode())),
                        **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body.encode())


def answer(handler: BaseHTTPRequestHandler) -> None:
    text = f"{heard(handler)}\n\n```python\n# {heard(handler)}\n{FASTER}```\n"
    document = {"model": heard(handler),
                "choices": [{"message": {"content": text}, "finish_reason": "stop"}]}
    send(handler, 200, "application/json", json.dumps(document).replace("-", "\\u002d"))


def stream(handler: BaseHTTPRequestHandler) -> None:
    text = f"{heard(handler)}\n\n```python\n# {heard(handler)}\n{FASTER}```\n"
    parts = [text[i:i + 12] for i in range(0, len(text), 12)]
    choices: list[Any] = [{"delta": {"content": x}} for x in parts]
    choices.append({"delta": {}, "finish_reason": "stop"})
    events = [f"data: {json.dumps({'model': 'm', 'choices': [x]})}\n\n" for x in choices]
    send(handler, 200, "text/event-stream", "".join(events))


def refuse(status: int) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer_so(handler: BaseHTTPRequestHandler) -> None:
        body = json.dumps({"error": {"message": heard(handler), "code": heard(handler)}})
        send(handler, status, "application/json", body.replace("/", "\\/"))

    return answer_so


def redirect(handler: BaseHTTPRequestHandler) -> None:
    send(handler, 302, "text/plain", heard(handler),
         Location=f"http://127.0.0.1:9/?{quote(heard(handler))}")


def broken_json(handler: BaseHTTPRequestHandler) -> None:
    send(handler, 200, "application/json", '{"choices": "' + heard(handler))


def broken_stream(handler: BaseHTTPRequestHandler) -> None:
    send(handler, 200, "text/event-stream", f"data: {{{heard(handler)}\n\n")


def page(handler: BaseHTTPRequestHandler) -> None:
    send(handler, 502, "text/html", f"<html>{heard(handler)}</html>")


def long_error(handler: BaseHTTPRequestHandler) -> None:
    """What is quoted of it ends within the key."""
    send(handler, 400, "text/plain", "x" * (1010 - len(MARK)) + heard(handler))


BEHAVIOURS = {"answers": answer, "streams": stream, "unauthorized": refuse(401),
              "limited": refuse(429), "failing": refuse(500), "needs-proxy-password": refuse(407),
              "redirects": redirect, "broken-json": broken_json, "broken-stream": broken_stream,
              "page": page, "long-error": long_error}

SILENT = {"needs-proxy-password", "page"}  # of these nothing is quoted


class Server:
    """Does what the model's name says, once `may_answer` is set."""

    def __init__(self) -> None:
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.authorizations: list[tuple[str, str]] = []  # by model
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.authorizations.append((body["model"], self.headers["Authorization"]))
                server.may_answer.wait(60)
                with contextlib.suppress(BrokenPipeError):  # who asked may have been killed
                    BEHAVIOURS[body["model"]](self)

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.may_answer.set()
        self.http.shutdown()
        self.http.server_close()


class Secrets(LatheCase):
    def setUp(self) -> None:
        super().setUp()
        self.server = Server()
        self.addCleanup(self.server.close)
        proxy = f"http://me:{quote(PASSWORD, safe='')}@127.0.0.1:{self.server.port}"
        self.env = {**os.environ, "LATHE_E2E_KEY": KEY, "http_proxy": proxy}
        self.write("sums.py", TASK)
        self.secrets_folder = self.empty_folder()  # outside of what is searched
        self.key_file = self.secrets_folder / "key"
        self.key_file.write_text(FILE_KEY + "\n")
        self.key_file.chmod(0o600)

    def plan(self, *models: str, key: str = FROM_ENVIRONMENT, file: str = "t.yaml") -> str:
        """Writes a topology whose coder asks the first model, which all others stand in for."""
        lines = [f"  {x}: {{provider: openai, model: {x}, base_url: 'http://llm.test/v1', {key}"
                 + (f", fallback: [{', '.join(models[1:])}]}}" if x == models[0] else "}")
                 for x in models]
        text = TOPOLOGY.replace("MODELS", "\n".join(lines)).replace("MODEL", models[0])
        return self.write(file, text)

    def call(self, *arguments: str) -> Ended:
        return self.lathe("--log-level", "trace", *arguments, env=self.env)

    # -- what is left ---------------------------------------------------------------------

    def assert_clean(self, data: bytes, where: str) -> None:
        for spelling in SPELLINGS:
            if (at := data.find(spelling)) >= 0:
                shown = data[max(0, at - 200):at + 200].decode(errors="replace")
                self.fail(f"{where} holds {spelling.decode()!r}: ...{shown}...")

    def assert_nothing_left(self, *ended: Ended) -> None:
        for x in ended:
            self.assert_clean(x.out.encode(), "standard output")
            self.assert_clean(x.err.encode(), "standard error")
        for file in self.files():
            self.assert_clean(file.read_bytes(), str(file.relative_to(self.folder)))

    def files(self) -> list[Path]:
        return [x for x in self.folder.rglob("*") if x.is_file()]

    def marked(self) -> set[str]:
        """The files that hold what the server said."""
        return {x.name for x in self.files() if MARK.encode() in x.read_bytes()}


class Check(Secrets):
    def test_whatever_a_server_repeats_is_masked(self) -> None:
        topology = self.plan(*BEHAVIOURS)
        for options in ([], ["--json"]):
            ended = self.call("llm", "check", topology, *options)
            self.assert_code(ended, ENVIRONMENT_LACKS)
            self.assert_nothing_left(ended)
            self.assertGreaterEqual(ended.out.count(MARK), 8, str(ended))
            self.assertIn("[secret]", ended.out)
            self.assertGreaterEqual(ended.err.count(MARK), 8, "the log is there")
        self.assertEqual({x for _, x in self.server.authorizations}, {f"Bearer {KEY}"})
        self.assertEqual({x for x, _ in self.server.authorizations}, set(BEHAVIOURS))

    def test_a_key_from_a_file_is_as_secret(self) -> None:
        topology = self.plan("unauthorized", "streams", key=f"api_key_file: {self.key_file}")
        ended = self.call("llm", "check", topology)
        self.assertEqual({x for _, x in self.server.authorizations}, {f"Bearer {FILE_KEY}"})
        self.assert_nothing_left(ended)
        self.key_file.chmod(0o644)
        topology = self.plan("streams", key=f"api_key_file: {self.key_file}")
        ended = self.lathe("llm", "check", topology)
        self.assert_sentence(ended, USER_MISTAKE, f"chmod 600 {self.key_file} (t.yaml:3)")

    def test_a_key_or_password_in_the_wrong_place_is_not_repeated(self) -> None:
        for key in (f"api_key: '{KEY}'", f"api_key_file: '{KEY}'"):
            ended = self.call("topology", "check", self.plan("answers", key=key))
            self.assert_code(ended, USER_MISTAKE)
            self.assert_clean(ended.err.encode() + ended.out.encode(), "what it says")
        self.env["http_proxy"] = self.env["http_proxy"].replace("http://", "socks5://")
        ended = self.call("llm", "check", self.plan("answers"))
        self.assertIn("http_proxy", ended.out)
        self.assertIn("SOCKS", ended.out)
        self.assert_clean(ended.err.encode() + ended.out.encode(), "what it says")


class Cores(Secrets):
    def test_a_crash_leaves_no_core(self) -> None:
        topology = self.plan("answers")
        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        for number in (signal.SIGABRT, signal.SIGSEGV):
            self.server.may_answer.clear()
            before = len(self.server.authorizations)
            process = self.start(
                "llm", "check", topology, env=self.env,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (hard, hard)))
            self.wait_until("asked", lambda: len(self.server.authorizations) > before)
            limits = Path(f"/proc/{process.pid}/limits").read_text()
            if hard != 0:
                self.assertRegex(limits, r"Max core file size +1 +1 ")
            process.send_signal(number)
            how = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            self.assertEqual((how.si_code, how.si_status), (os.CLD_KILLED, number))
            self.assertEqual([x.name for x in self.files() if "core" in x.name], [])
            self.server.may_answer.set()


class Runs(Secrets):
    def begin(self, *models: str, key: str) -> Any:
        """Starts a run that is called as its first model, as are its topology and recording."""
        name = models[0]
        topology = self.plan(*models, key=key, file=f"{name}.yaml")
        return self.start("--log-level", "trace", "run", topology, "--task", "sums.py", "--record",
                          f"{name}.jsonl", "--name", name, "--json", env=self.env)

    def look_back(self, name: str) -> list[Ended]:
        run = f"runs/{name}"
        return [self.call("status", run, "--json"), self.call("status", run),
                self.call("run", "--resume", run, "--json", "--record", f"{name}.jsonl")]


class Answered(Runs):
    def test_a_run_leaves_no_secret_and_its_children_have_none(self) -> None:
        self.server.may_answer.clear()
        process = self.begin("streams", key=FROM_ENVIRONMENT)
        self.wait_until("asked", lambda: self.server.authorizations)
        children = [x for x in descendants(process.pid) if not self.is_lathe(x)]
        self.assertGreaterEqual(len(children), 2)
        for child in children:
            for what in ("environ", "cmdline"):
                self.assert_clean(self.read_proc(child, what), f"{what} of a child")
        self.assertIn(b"LATHE_E2E_KEY", self.read_proc(process.pid, "environ"))
        self.server.may_answer.set()
        ended = self.finish(process)
        self.assertIn(ended.code, (DONE, NOT_BETTER), str(ended))
        self.assert_nothing_left(ended, *self.look_back("streams"))
        self.assertLessEqual({"streams.jsonl", "lathe.log"}, self.marked())
        self.assertTrue(self.marked() & {"journal.sqlite", "journal.sqlite-wal"}, self.marked())

    @staticmethod
    def is_lathe(pid: int) -> bool:
        """Between fork and exec a child is its parent's image."""
        try:
            return Path(f"/proc/{pid}/exe").resolve() == Path(LATHE).resolve()
        except OSError:
            return False

    @staticmethod
    def read_proc(pid: int, what: str) -> bytes:
        try:
            return Path(f"/proc/{pid}/{what}").read_bytes()
        except OSError:  # it has ended meanwhile
            return b""


class Failed(Runs):
    """Some are asked again, for half a minute and more."""

    def test_runs_that_a_server_fails_leave_no_secret(self) -> None:
        models = sorted(BEHAVIOURS.keys() - {"streams"})
        runs = [self.begin(x, key=f"api_key_file: {self.key_file}") for x in models]
        ended = [self.finish(x) for x in runs]
        sent = {(x, f"Bearer {FILE_KEY}") for x in models}
        self.assertEqual(set(self.server.authorizations), sent)
        for name in models:
            ended += self.look_back(name)
        self.assert_nothing_left(*ended)
        for name in models:
            said = (self.folder / f"{name}.jsonl").read_text()
            self.assertEqual(MARK in said, name not in SILENT, name)


if __name__ == "__main__":
    unittest.main()
