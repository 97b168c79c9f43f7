"""A server with a certificate of its own authority, behind a proxy that wants a password."""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import socket
import subprocess
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from lathe_case import DONE, ENVIRONMENT_LACKS, USER_MISTAKE, Ended, LatheCase

KEY = "sk-0123456789"

TOPOLOGY = """version: 1
models:
  strong: {{provider: openai, model: x, api_key_file: key, base_url: '{server}/v1'{more}}}
agents:
  coder: {{role: coder, model: strong, prompt_text: hello}}
routes:
  - search.assignment -> coder
  - coder.candidate -> evaluator
  - evaluator.correct -> search
search: {{policy: best_of, samples: 1}}
budget: {{queries: 1}}
"""


def pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):  # either may have hung up
        while data := source.recv(4096):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


class Proxy:
    """Joins whoever knows the password with the server that is asked for."""

    def __init__(self, user: str) -> None:
        self.asked: list[str] = []
        wanted = "Basic " + base64.b64encode(user.encode()).decode()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_CONNECT(self) -> None:
                proxy.asked.append(self.path)
                if self.headers["Proxy-Authorization"] != wanted:
                    self.send_error(407)
                    return
                host, port = self.path.split(":")
                with socket.create_connection((host, int(port))) as server:
                    self.send_response(200)
                    self.end_headers()
                    back = threading.Thread(target=pump, args=(server, self.connection))
                    back.start()
                    pump(self.connection, server)
                    back.join()

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.handle_error = lambda *_: None  # those who hang up
        self.address = f"127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()


@unittest.skipUnless(shutil.which("openssl"), "openssl makes the certificate")
class Tunnel(LatheCase):
    def setUp(self) -> None:
        super().setUp()
        self.proxy = Proxy("me:p/ss")
        self.addCleanup(self.proxy.close)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj", "/CN=test",
                        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "server.key", "-out",
                        "corp-ca.pem"], cwd=self.folder, check=True, capture_output=True)
        self.write("key", KEY)
        (self.folder / "key").chmod(0o600)
        self.server = self.serve_llm("--key", KEY, "--tls", "corp-ca.pem", "server.key")

    def check(self, more: str = ", ca_file: corp-ca.pem", user: str = "me:p%2Fss@",
              **env: str) -> Ended:
        topology = self.write("t.yaml", TOPOLOGY.format(server=self.server, more=more))
        proxy = {"HTTPS_PROXY": f"http://{user}{self.proxy.address}"}
        return self.lathe("llm", "check", topology, env={**os.environ, **proxy, **env})

    def test_the_server_is_asked_through_the_proxy(self) -> None:
        self.assert_code(self.check(), DONE)
        self.assertEqual(self.proxy.asked, [self.server.removeprefix("https://")])

    def test_no_proxy_leads_past_it(self) -> None:
        self.assert_code(self.check(NO_PROXY="localhost,127.0.0.0/8"), DONE)
        self.assertEqual(self.proxy.asked, [])

    def test_an_authority_is_trusted_by_name_alone(self) -> None:
        self.assert_code(self.check("", SSL_CERT_FILE=str(self.folder / "corp-ca.pem")), DONE)
        ended = self.check("")
        self.assert_code(ended, ENVIRONMENT_LACKS)
        self.assertIn("certificate that does not hold for it: self-signed certificate; an "
                      "authority of your own is named by the model's ca_file", ended.out)
        ended = self.check(", ca_file: server.key")
        self.assertIn("server.key cannot be read: there is no certificate (PEM) in it", ended.out)
        self.assert_sentence(self.check(", ca_file: none.pem"), USER_MISTAKE, "t.yaml:3",
                             "models.strong.ca_file names a file that is not there: 'none.pem'")

    def test_a_proxy_that_does_not_let_us_through_is_named(self) -> None:
        ended = self.check(user="")
        self.assert_code(ended, ENVIRONMENT_LACKS)
        self.assertIn(f"the proxy {self.proxy.address} (HTTPS_PROXY) wants a user and a password",
                      ended.out)
        self.assertIn("does not accept the user and password", self.check(user="me:no@").out)


if __name__ == "__main__":
    unittest.main()
