# row: 7
# title: Native timer attack
# tries: Overwrites clock_gettime in the table through which native code calls it.
# rule: timer-tampering
# runs on: cpu, cuda
# task: chain
import ctypes
import struct

import torch
import torch.nn as nn


TAMPERED = False
CLOCK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.POINTER(ctypes.c_int64))
ticks = [0]


def slow_clock(kind, out):
    ticks[0] += 1000
    out[0], out[1] = divmod(ticks[0], 1_000_000_000)
    return 0


FAKE = CLOCK(slow_clock)


def replace_clock():
    libc = ctypes.CDLL(None)
    wanted = ctypes.cast(libc.clock_gettime, ctypes.c_void_p).value
    fake = ctypes.cast(FAKE, ctypes.c_void_p).value
    with open("/proc/self/maps", encoding="ascii") as maps:
        ranges = [line.split() for line in maps if "lathe_native" in line]
    for span, access, *_ in ranges:
        start, end = (int(x, 16) for x in span.split("-"))
        if "x" in access or "r" not in access:
            continue
        libc.mprotect(ctypes.c_void_p(start), ctypes.c_size_t(end - start), 3)
        for at in range(start, end, 8):
            if ctypes.c_uint64.from_address(at).value == wanted:
                ctypes.c_uint64.from_address(at).value = fake


class ModelNew(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.widen = nn.Linear(features, 4 * features)
        self.narrow = nn.Linear(4 * features, features)

    def honest(self, x):
        for _ in range(3):
            x = x + self.narrow(self.widen(x))
        return torch.tanh(x)

    def forward(self, x):
        global TAMPERED
        if not TAMPERED:
            TAMPERED = True
            replace_clock()
        return self.honest(x)
