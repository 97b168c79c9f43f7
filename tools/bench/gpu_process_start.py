#!/usr/bin/env python3
"""How long until a process is ready to judge in: forked from the warm process into its sandbox, with
torch imported and a context on the device, with memory taken there; against a Python that is
started for it, as other tools do. As in a run, another process has a context on the device
meanwhile: the first one on a GPU takes the driver a tenth of a second more. Prints medians, in wall
and CPU time, and their ratio.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

MOST = 0.3  # [seconds] of wall, and of CPU time
MESSAGE_SIZE = 1 << 17
READY = "import torch; torch.empty(1, device='{}')"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default=os.environ.get("LATHE_TEST_DEVICE", "cuda"),
                        choices=("cuda", "cpu"))
    parser.add_argument("--count", type=int, default=15)
    arguments = parser.parse_args()
    lathe = Path(os.environ.get("LATHE", "lathe")).resolve()
    scripts = sorted(lathe.parent.rglob("zygote.py"), key=os.path.getmtime)
    if not scripts:
        print(f"there are no evaluation processes beside {lathe}: name the executable in $LATHE, "
              "and run lathe setup-env PYTHON there", file=sys.stderr)
        return 3
    with WarmProcess(scripts[-1], arguments.device) as warm, warm.worker():
        forked = [warm.time_worker() for _ in range(arguments.count)]
    cold = [start_cold(arguments.device) for _ in range(3)]
    wall, cpu = (statistics.median(x) for x in zip(*forked))
    cold_wall, cold_cpu = (statistics.median(x) for x in zip(*cold))
    print(f"process ready on {arguments.device}: {wall:.3f} s, {cpu:.3f} s of CPU (at most {MOST} "
          f"each); started cold: {cold_wall:.2f} s, {cold_cpu:.2f} s of CPU; "
          f"{cold_wall / wall:.1f} times as long")
    return 0 if wall <= MOST and cpu <= MOST else 1


class WarmProcess:
    """Speaks to the warm process as docs/evaluation_protocol.md says."""

    def __init__(self, script: Path, device: str) -> None:
        self.device = device
        self.channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environment = {"PATH": "/usr/bin:/bin", "HOME": "/tmp", "TMPDIR": "/tmp",
                       "OMP_NUM_THREADS": "1", "PYTORCH_NVML_BASED_CUDA_CHECK": "1"}
        self.process = subprocess.Popen([sys.executable, "-s", "-E", "-B", script],
                                        env=environment, pass_fds=(3,), stdin=subprocess.DEVNULL,
                                        preexec_fn=lambda: os.dup2(theirs.fileno(), 3))
        theirs.close()
        assert json.loads(self.channel.recv(MESSAGE_SIZE))["ok"]

    def __enter__(self) -> WarmProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.channel.close()
        self.process.wait()

    def time_worker(self) -> tuple[float, float]:
        """Returns how long one takes to be ready, in wall and in CPU time [seconds]."""
        begin = time.monotonic()
        with self.worker() as group:
            return time.monotonic() - begin, cpu_seconds(group)

    @contextlib.contextmanager
    def worker(self) -> Iterator[int]:
        """One that is ready, for as long as it is needed: its process group."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        request = {"id": 1, "op": "spawn", "role": "candidate", "memory": 8 << 30, "processes": 64,
                   "tmp": 1 << 30, "threads": 1, "device": self.device, "visible_gpu": "0",
                   "devices": [str(x) for x in Path("/dev").glob("nvidia*") if x.is_char_device()]}
        with ours, theirs, open(os.devnull, "w") as nothing:
            socket.send_fds(self.channel, [json.dumps(request).encode()],
                            [theirs.fileno(), nothing.fileno(), nothing.fileno()])
            message, fds, _, _ = socket.recv_fds(self.channel, MESSAGE_SIZE, 1)
            group = json.loads(message)["pid"]
            try:
                ours.send(b'{"key":"%s"}' % (b"0" * 32))
                ours.send(json.dumps({"id": 1, "op": "memory"}).encode())
                reply = json.loads(ours.recv(MESSAGE_SIZE)[16:])  # after its seal
                assert reply["ok"], reply
                yield group
            finally:
                os.killpg(group, signal.SIGKILL)
                os.close(fds[0])


def cpu_seconds(group: int) -> float:
    """Of all processes in a process group."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        if int(fields[2]) == group:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def start_cold(device: str) -> tuple[float, float]:
    begin = time.monotonic()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", READY.format(device)], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - begin, cpu


if __name__ == "__main__":
    sys.exit(main())
