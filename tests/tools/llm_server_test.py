"""`llm-server` as its clients meet it: real sockets, every API, every error, and what it reports.

One server serves all tests; what a test wants of it stands in the header of its requests.
"""

import http.client
import json
import os
import select
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import time
import unittest
from pathlib import Path
from typing import Any, Iterator

PROGRAM = os.environ["LLM_SERVER"]
PATIENCE = 10  # seconds until a test that hangs fails

CHAT = "/v1/chat/completions"
RESPONSES = "/v1/responses"
MESSAGES = "/v1/messages"
GEMINI = "/v1beta/models/gemini-x:generateContent"
GEMINI_STREAM = "/v1beta/models/gemini-x:streamGenerateContent?alt=sse"

QUESTION = [{"role": "user", "content": "hello"}]
BODIES = {
    CHAT: {"model": "m", "messages": QUESTION},
    RESPONSES: {"model": "m", "input": "hello"},
    MESSAGES: {"model": "m", "messages": QUESTION, "max_tokens": 100},
    GEMINI: {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]},
    GEMINI_STREAM: {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]},
}


class Server:
    def __init__(self, *options: str) -> None:
        self.process = subprocess.Popen([PROGRAM, *options], stdout=subprocess.PIPE, text=True)
        self.url = self.line().removeprefix("listening on ").strip()
        self.host, port = self.url.split("://")[1].split(":")
        self.port = int(port)

    def line(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline()

    def stop(self, with_signal: int = signal.SIGTERM) -> dict[str, int]:
        """Ends the server and returns its report."""
        self.process.send_signal(with_signal)
        out, _ = self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode == 0, self.process.returncode
        return json.loads(out)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE)

    def send(self, connection: http.client.HTTPConnection, path: str, *, stream: bool = False,
             headers: dict[str, str] = {}, more: dict[str, Any] = {},
             **options: Any) -> http.client.HTTPResponse:
        body = {**BODIES[path], **more} | ({"stream": True} if stream else {})
        wanted = json.dumps({name.replace("_", "-"): value for name, value in options.items()})
        connection.request("POST", path, json.dumps(body), {"x-llm-server": wanted, **headers})
        return connection.getresponse()

    def ask(self, path: str, **how: Any) -> tuple[http.client.HTTPResponse, bytes]:
        connection = self.connect()
        try:
            response = self.send(connection, path, **how)
            return response, response.read()
        finally:
            connection.close()

    def bytes_after(self, sent: bytes) -> bytes:
        """All that the server says to `sent` until it closes."""
        with socket.create_connection((self.host, self.port), timeout=PATIENCE) as client:
            client.sendall(sent)
            return b"".join(iter(lambda: client.recv(65536), b""))


def events(body: bytes) -> Iterator[tuple[str, str]]:
    """Type and data of each server-sent event."""
    for block in body.decode().replace("\r\n", "\n").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        if fields:
            yield fields.get("event", ""), fields["data"]


class ServerCase(unittest.TestCase):
    server: Server

    @classmethod
    def setUpClass(cls) -> None:
        cls.server = Server()

    @classmethod
    def tearDownClass(cls) -> None:
        cls.server.stop()  # it lives, whatever the tests sent

    def ask_json(self, path: str, **how: Any) -> Any:
        response, body = self.server.ask(path, **how)
        self.assertEqual(response.status, 200, body)
        return json.loads(body)

    def stream(self, path: str, **how: Any) -> list[tuple[str, str]]:
        response, body = self.server.ask(path, stream=path != GEMINI_STREAM, **how)
        self.assertEqual(response.status, 200, body)
        self.assertTrue(response.headers["content-type"].startswith("text/event-stream"))
        return list(events(body))


class Answers(ServerCase):
    def test_chat_completions(self) -> None:
        answer = self.ask_json(CHAT, text="Hi \"you\"\nthere", events=3, cached_tokens=2)
        self.assertEqual(answer["choices"][0]["message"]["content"], "Hi \"you\"\nthere")
        self.assertEqual(answer["usage"]["completion_tokens"], 3)
        self.assertEqual(answer["usage"]["prompt_tokens_details"]["cached_tokens"], 2)

    def test_chat_completions_streamed(self) -> None:
        got = self.stream(CHAT, text="größer", events=3,
                          more={"stream_options": {"include_usage": True}})
        self.assertEqual(got[-1], ("", "[DONE]"))
        chunks = [json.loads(data) for _, data in got[:-1]]
        self.assertEqual(chunks[0]["choices"][0]["delta"]["role"], "assistant")
        self.assertEqual("".join(x["choices"][0]["delta"].get("content", "")
                                 for x in chunks[:-1]), "größer")
        self.assertEqual(chunks[-2]["choices"][0]["finish_reason"], "stop")
        self.assertEqual(chunks[-1]["choices"], [])
        self.assertEqual(chunks[-1]["usage"]["completion_tokens"], 3)

    def test_responses(self) -> None:
        answer = self.ask_json(RESPONSES, text="Hi", reasoning_tokens=5, events=1)
        self.assertEqual(answer["output"][0]["content"][0]["text"], "Hi")
        self.assertEqual(answer["usage"]["output_tokens"], 6)

    def test_responses_streamed(self) -> None:
        got = self.stream(RESPONSES, text="Hi there", events=2)
        self.assertEqual([name for name, _ in got], [
            "response.created", "response.in_progress", "response.output_item.added",
            "response.content_part.added", "response.output_text.delta",
            "response.output_text.delta", "response.output_text.done",
            "response.content_part.done", "response.output_item.done", "response.completed"])
        self.assertEqual(json.loads(got[6][1])["text"], "Hi there")

    def test_messages(self) -> None:
        answer = self.ask_json(MESSAGES, text="Hi", prompt_tokens=100, cached_tokens=40)
        self.assertEqual(answer["content"], [{"type": "text", "text": "Hi"}])
        self.assertEqual(answer["usage"]["input_tokens"], 60)
        self.assertEqual(answer["usage"]["cache_read_input_tokens"], 40)

    def test_messages_streamed(self) -> None:
        got = self.stream(MESSAGES, text="Hi there", events=2)
        self.assertEqual([name for name, _ in got], [
            "message_start", "content_block_start", "ping", "content_block_delta",
            "content_block_delta", "content_block_stop", "message_delta", "message_stop"])
        text = [json.loads(data)["delta"]["text"] for _, data in got[3:5]]
        self.assertEqual("".join(text), "Hi there")

    def test_gemini(self) -> None:
        answer = self.ask_json(GEMINI, text="Hi")
        self.assertEqual(answer["candidates"][0]["content"]["parts"][0]["text"], "Hi")
        self.assertEqual(answer["modelVersion"], "gemini-x")

    def test_gemini_streamed(self) -> None:
        got = [json.loads(data) for _, data in self.stream(GEMINI_STREAM, text="Hi you", events=2)]
        parts = [x["candidates"][0]["content"]["parts"][0]["text"] for x in got]
        self.assertEqual(parts, ["Hi ", "you"])
        self.assertEqual(got[-1]["usageMetadata"]["candidatesTokenCount"], 2)

    def test_models(self) -> None:
        connection = self.server.connect()
        connection.request("GET", "/v1/models")
        models = json.loads(connection.getresponse().read())
        connection.close()
        self.assertEqual(models["object"], "list")

    def test_one_connection_serves_many_requests(self) -> None:
        connection = self.server.connect()
        for stream in (False, True, False):
            response = self.server.send(connection, CHAT, stream=stream, events=3)
            self.assertEqual(response.status, 200)
            response.read()
        connection.close()

    def test_times_are_kept(self) -> None:
        connection = self.server.connect()
        begun = time.monotonic()
        response = self.server.send(connection, CHAT, stream=True, events=4, first_byte="100ms",
                                    interval="50ms")
        self.assertGreaterEqual(time.monotonic() - begun, 0.1)
        response.read()
        self.assertGreaterEqual(time.monotonic() - begun, 0.25)
        connection.close()

    def test_an_old_client_gets_the_stream_as_it_is(self) -> None:
        body = json.dumps({**BODIES[CHAT], "stream": True}).encode()
        said = self.server.bytes_after(
            b"POST %s HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % (CHAT.encode(), len(body)) + body)
        self.assertTrue(said.endswith(b"\n\ndata: [DONE]\n\n"))


class Errors(ServerCase):
    def test_each_status_has_its_providers_shape(self) -> None:
        for path, inside in ((CHAT, "message"), (MESSAGES, "message"), (GEMINI, "status")):
            for status in (429, 500, 529):
                response, body = self.server.ask(path, error=f"status:{status},retry-after:2")
                self.assertEqual(response.status, status)
                self.assertEqual(response.headers["retry-after"], "2")
                self.assertIn(inside, json.loads(body)["error"])

    def test_a_proxys_page(self) -> None:
        response, body = self.server.ask(CHAT, error="status:502-html")
        self.assertEqual((response.status, response.headers["content-type"]), (502, "text/html"))
        self.assertTrue(body.startswith(b"<html>"))

    def test_a_reset(self) -> None:
        with self.assertRaises(ConnectionResetError):
            self.server.ask(CHAT, error="reset")

    def test_a_cut_answer(self) -> None:
        for stream in (False, True):
            with self.assertRaises(http.client.IncompleteRead):
                self.server.ask(CHAT, stream=stream, error="cut")

    def test_invalid_json(self) -> None:
        _, body = self.server.ask(CHAT, error="invalid-json")
        with self.assertRaises(json.JSONDecodeError):
            json.loads(body)
        got = self.stream(MESSAGES, error="invalid-json", events=3)
        self.assertEqual(got[-1][0], "message_stop")
        with self.assertRaises(json.JSONDecodeError):
            [json.loads(data) for _, data in got]

    def test_a_large_body(self) -> None:
        for stream in (False, True):
            connection = self.server.connect()
            response = self.server.send(connection, CHAT, stream=stream, error="large")
            size = sum(len(part) for part in iter(lambda: response.read(1 << 20), b""))
            self.assertGreater(size, 100_000_000)
            connection.close()

    def test_a_slow_body(self) -> None:
        connection = self.server.connect()
        response = self.server.send(connection, CHAT, error="slow-body")
        self.assertEqual(response.read(1), b"{")
        assert connection.sock
        connection.sock.settimeout(0.2)
        with self.assertRaises(TimeoutError):
            response.read(1)
        connection.close()

    def test_a_server_that_hangs(self) -> None:
        connection = self.server.connect()
        connection.timeout = 0.2
        with self.assertRaises(TimeoutError):
            self.server.send(connection, CHAT, error="hang")
        connection.close()

    def test_an_error_rate(self) -> None:
        connection = self.server.connect()
        failed = 0
        for _ in range(100):
            response = self.server.send(connection, CHAT, events=1, seed=11, error="status:500",
                                        error_rate=0.3)
            response.read()
            failed += response.status == 500
        connection.close()
        self.assertTrue(10 < failed < 50, failed)

    def test_a_rate_limit(self) -> None:
        headers = {"authorization": "Bearer of-this-test"}
        for remaining in ("1", "0"):
            response, _ = self.server.ask(CHAT, rate_limit=2, headers=headers)
            self.assertEqual(response.status, 200)
            self.assertEqual(response.headers["x-ratelimit-limit-requests"], "2")
            self.assertEqual(response.headers["x-ratelimit-remaining-requests"], remaining)
        response, _ = self.server.ask(CHAT, rate_limit=2, headers=headers)
        self.assertEqual(response.status, 429)
        self.assertEqual(response.headers["retry-after"], "30")

    def test_a_wrong_key(self) -> None:
        for path, header, right in ((CHAT, "authorization", "Bearer k"),
                                    (MESSAGES, "x-api-key", "k"), (GEMINI, "x-goog-api-key", "k")):
            response, body = self.server.ask(path, key="k", headers={header: right + "x"})
            self.assertEqual(response.status, 401)
            self.assertIn("error", json.loads(body))
            response, _ = self.server.ask(path, key="k", headers={header: right})
            self.assertEqual(response.status, 200)

    def test_what_is_no_request(self) -> None:
        for sent in (b"hello\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
                     b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n"):
            head, body = self.server.bytes_after(sent).split(b"\r\n\r\n")
            self.assertTrue(head.startswith(b"HTTP/1.1 400 "), head)
            self.assertIn("error", json.loads(body))

    def test_a_body_that_is_too_large(self) -> None:
        said = self.server.bytes_after(
            b"POST /v1/messages HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 500_000)
        self.assertTrue(said.startswith(b"HTTP/1.1 413 "), said)

    def test_mistakes_in_a_request(self) -> None:
        for path, more in ((CHAT, {"messages": None}), (MESSAGES, {"model": 3}),
                           (GEMINI, {"contents": 1})):
            response, body = self.server.ask(path, more=more)
            self.assertEqual(response.status, 400)
            self.assertIn("error", json.loads(body))
        response, body = self.server.ask(CHAT, speed=3)
        self.assertIn("no option 'speed'", json.loads(body)["error"]["message"])


class OwnServerCase(unittest.TestCase):
    def start(self, *options: str) -> Server:
        server = Server(*options)
        self.addCleanup(server.kill)
        return server


class Reports(OwnServerCase):
    def test_what_was_done_is_counted(self) -> None:
        server = self.start("--events", "3", "--threads", "2")
        connections = [server.connect() for _ in range(4)]
        for connection in connections:
            server.send(connection, CHAT, stream=True).read()
        server.send(connections[0], CHAT).read()
        for connection in connections:
            connection.close()
        self.assertEqual(server.stop(signal.SIGINT), {
            "requests": 5, "streams": 4, "events": 12, "most_connections": 4, "closed_early": 0})

    def test_clients_that_close_early_are_counted(self) -> None:
        server = self.start("--interval", "20ms", "--events", "1000")
        for leave_hard in (False, True):
            connection = server.connect()
            response = server.send(connection, CHAT, stream=True)
            response.read(10)
            assert connection.sock
            if leave_hard:
                connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                           struct.pack("ii", 1, 0))
            response.close()
            connection.close()
        server.ask(CHAT)  # by now it has seen the others go
        report = server.stop()
        self.assertEqual(report["closed_early"], 2, report)
        self.assertLess(report["events"], 100)

    def test_a_client_that_does_not_read_costs_no_memory(self) -> None:
        server = self.start("--events", "2000000")
        with socket.create_connection((server.host, server.port)) as client:
            body = json.dumps({**BODIES[CHAT], "stream": True}).encode()
            client.sendall(b"POST %s HTTP/1.1\r\nContent-Length: %d\r\n\r\n"
                           % (CHAT.encode(), len(body)) + body)
            self.assertTrue(select.select([client], [], [], PATIENCE)[0])
            # Other clients are served meanwhile.
            response, _ = server.ask(CHAT, events=1)
            self.assertEqual(response.status, 200)
            status = Path(f"/proc/{server.process.pid}/status").read_text()
            peak = int(next(x for x in status.splitlines() if x.startswith("VmHWM")).split()[1])
            self.assertLess(peak, 100_000)  # KiB
        self.assertEqual(server.stop()["closed_early"], 1)


class CommandLine(OwnServerCase):
    def run_with(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True,
                              timeout=PATIENCE)

    def test_help_has_examples(self) -> None:
        ended = self.run_with("--help")
        self.assertEqual(ended.returncode, 0)
        self.assertEqual(ended.stdout.count("\n  llm-server --"), 2)

    def test_a_mistake_is_one_sentence_and_exit_code_2(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            for arguments in (["--colour", "red"], ["--events"], ["--events", "x"],
                              ["--error", "fire"], ["--tls", "/nowhere", "/nowhere"],
                              ["--port", str(taken.getsockname()[1])]):
                ended = self.run_with(*arguments)
                self.assertEqual(ended.returncode, 2, arguments)
                self.assertEqual(len(ended.stderr.splitlines()), 1, ended.stderr)
                self.assertEqual(ended.stdout, "")

    def test_tls(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            certificate, key = f"{folder}/certificate.pem", f"{folder}/key.pem"
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                            "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1", "-subj",
                            "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
                            key, "-out", certificate], check=True, capture_output=True)
            server = self.start("--tls", certificate, key, "--events", "5", "--interval", "1ms")
            trust = ssl.create_default_context(cafile=certificate)
        self.assertTrue(server.url.startswith("https://"))
        connection = http.client.HTTPSConnection(server.host, server.port, timeout=PATIENCE,
                                                 context=trust)
        for _ in range(2):
            response = server.send(connection, CHAT, stream=True)
            self.assertTrue(response.read().endswith(b"[DONE]\n\n"))
        self.assertEqual(len(server.send(connection, CHAT, error="large").read()) // 100_000_000, 1)
        connection.close()
        with self.assertRaises(ConnectionResetError):
            server.bytes_after(b"GET / HTTP/1.1\r\n\r\n")
        self.assertEqual(server.stop()["streams"], 2)


if __name__ == "__main__":
    unittest.main()
