#!/usr/bin/env python3
"""What streamed answers cost the gateway, beside httpx with asyncio, at the same server in the same
run: CPU time a call, at so many calls in flight; then more of them than Python can do, and how
late answers are.

The server is tools/llm_server: each answer has 100 events, one every 50 ms. httpx is installed from
PyPI into the cache for this.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import time
import venv
from contextlib import contextmanager
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "lathe"
EVENTS = 100
INTERVAL = 0.05  # [s]
FIRST_BYTE = 0.2  # [s]
LASTS = FIRST_BYTE + (EVENTS - 1) * INTERVAL  # [s]
LEAST_RATIO = 20  # of CPU time
MOST_LATE = 5e-3  # [s], of 99 in 100 answers, with 1,000 in flight
MOST_MEMORY = 2000  # [MB]

CLIENT = '''
import asyncio, json, resource, sys, time
import httpx

async def ask(client, url, number, ended):
    start = time.monotonic()
    body = {"model": "bench", "stream": True, "max_tokens": 16000,
            "messages": [{"role": "user", "content": f"question {number}"}]}
    text = ""
    async with client.stream("POST", url, json=body) as response:
        async for line in response.aiter_lines():
            if line.startswith("data: ") and line != "data: [DONE]":
                choices = json.loads(line[6:])["choices"]
                text += (choices[0]["delta"].get("content") or "") if choices else ""
    ended.append(time.monotonic() - start)

async def main(url, calls):
    ended = []
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(timeout=None, limits=limits) as client:
        done = await asyncio.gather(*(ask(client, url, i, ended) for i in range(calls)),
                                    return_exceptions=True)
    failures = [x for x in done if x is not None]
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"answered": len(ended), "failed": len(failures), "why": str(failures[:1]),
                      "cpu_ms_per_call": 1e3 * (used.ru_utime + used.ru_stime) / calls,
                      "most_mb": used.ru_maxrss / 1024}))

resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
asyncio.run(main(sys.argv[1] + "/chat/completions", int(sys.argv[2])))
'''


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=Path, default=ROOT / "build/release/bin",
                        help="where bench_llm_streams and llm-server are")
    parser.add_argument("--beside", type=int, default=1000, help="calls in flight beside httpx")
    parser.add_argument("--most", type=int, default=10_000, help="calls in flight without it")
    parser.add_argument("--no-httpx", action="store_true")
    arguments = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    missed = []
    with server(arguments.bin) as url:
        gateway = [arguments.bin / "bench_llm_streams"]
        calls = arguments.beside
        late = run("gateway, evenly", gateway, url, 4 * calls, 4 * LASTS)["p99_s"] - LASTS
        print(f"  late, with {calls} in flight: {late * 1e3:.1f} ms in 99 of 100 answers, the "
              f"server's own part included ({MOST_LATE * 1e3:.0f} wanted with 1,000)")
        if late > MOST_LATE:
            missed.append("lateness")
        ours = run("gateway", gateway, url, calls)
        if not arguments.no_httpx:
            theirs = run("httpx", [python_with_httpx(), "-c", CLIENT], url, calls)
            ratio = theirs["cpu_ms_per_call"] / ours["cpu_ms_per_call"]
            print(f"  CPU time a call: httpx takes {ratio:.1f} times as much ({LEAST_RATIO} wanted)")
            if ratio < LEAST_RATIO:
                missed.append("CPU time")
        most = run("gateway", gateway, url, arguments.most)
        if most["failed"] or most["most_mb"] > MOST_MEMORY:
            missed.append("many at once")
    for what in missed:
        print(f"not reached: {what}")
    return 1 if missed else 0


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """Runs the server, and gives the address of its API."""
    command = [folder / "llm-server", "--port", "0", "--events", str(EVENTS), "--interval",
               f"{INTERVAL * 1e3:.0f}ms", "--first-byte", f"{FIRST_BYTE * 1e3:.0f}ms"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            yield re.search(r"http://\S+", line)[0] + "/v1"
        finally:
            process.terminate()
            print(f"server: {process.stdout.read().strip()}")


def run(name: str, command: list[str | Path], url: str, calls: int, within: float = 0) -> dict:
    """Asks all at once, or evenly within so many seconds."""
    start = time.monotonic()
    ended = subprocess.run([*command, url, str(calls), str(within)], stdout=subprocess.PIPE, text=True,
                           check=False)
    wall = time.monotonic() - start
    if not ended.stdout:
        sys.exit(f"{name} ended with {ended.returncode} and without a result")
    found = json.loads(ended.stdout)
    print(f"{name}: {calls} calls, {found['answered']} answered, {found['failed']} failed "
          f"in {wall:.1f} s; {found['cpu_ms_per_call']:.3f} ms of CPU a call, at most "
          f"{found['most_mb']:.0f} MB", flush=True)
    if found["failed"]:
        print(f"  the first that failed: {found['why']}")
    return found


def python_with_httpx() -> Path:
    place = CACHE / "bench-httpx"
    python = place / "bin/python"
    if not (place / "ready").exists():
        venv.create(place, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "httpx"], check=True)
        (place / "ready").touch()
    return python


if __name__ == "__main__":
    sys.exit(main())
