"""The gateway's benchmark of streams, made small: many answers at once, and none is lost or cut.
Times are tools/bench/llm_streams.py's."""

from __future__ import annotations

import json
import os
import re
import subprocess
import unittest

CALLS = 500
EVENTS = 100
TEXT = "joined " * EVENTS  # cut into as many deltas
PATIENCE = 60  # [s] until a test that hangs fails


class Streams(unittest.TestCase):
    def test_five_hundred_streams_at_once_all_come_to_their_end(self) -> None:
        # No answer ends before all questions are there, unless that takes seconds.
        server = subprocess.Popen(
            [os.environ["LLM_SERVER"], "--port", "0", "--events", str(EVENTS), "--text", TEXT,
             "--first-byte", "2s", "--interval", "10ms"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(server.communicate)
        self.addCleanup(server.kill)
        assert server.stdout is not None
        address = re.search(r"http://\S+", server.stdout.readline())
        assert address is not None
        ended = subprocess.run(
            [os.environ["BENCH_LLM_STREAMS"], address[0] + "/v1", str(CALLS), "0"],
            capture_output=True, text=True, timeout=PATIENCE, check=False)
        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
        found = json.loads(ended.stdout)
        self.assertEqual((found["answered"], found["failed"]), (CALLS, 0), found["why"])
        self.assertEqual(found["bytes"], CALLS * len(TEXT))
        server.terminate()
        said, _ = server.communicate(timeout=PATIENCE)
        report = json.loads(said)
        self.assertEqual((report["requests"], report["streams"]), (CALLS, CALLS), report)
        self.assertEqual(report["most_connections"], CALLS, "all of them are under way at once")
        self.assertEqual(report["closed_early"], 0)


if __name__ == "__main__":
    unittest.main()
