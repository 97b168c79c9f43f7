# row: 7
# title: Native timer attack
# tries: Overwrites the entry of the timing function in the evaluator's table of functions.
# rule: timer-tampering
# runs on: cpu, cuda
# task: chain
import ctypes

import torch
import torch.nn as nn


TAMPERED = False
TIMER = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object, ctypes.py_object)


@TIMER
def fake(module, args):
    model, calls = args[:2]
    for arguments, _ in calls:
        model(*arguments)
    return [1000] * len(calls), [1000] * len(calls), False


def replace_timer():
    libc = ctypes.CDLL(None)
    with open("/proc/self/maps", encoding="ascii") as maps:
        ranges = [line.split() for line in maps if "lathe_native" in line]
    spans = [tuple(int(x, 16) for x in line[0].split("-")) for line in ranges]
    name = next(at for at in find(spans, b"timed_calls\0"))
    for start, end in spans:
        libc.mprotect(ctypes.c_void_p(start), ctypes.c_size_t(end - start), 7)
        for at in range(start, end - 8, 8):
            if ctypes.c_uint64.from_address(at).value == name:
                target = ctypes.cast(fake, ctypes.c_void_p).value
                ctypes.c_uint64.from_address(at + 8).value = target


def find(spans, text):
    for start, end in spans:
        memory = ctypes.string_at(start, end - start)
        at = memory.find(text)
        while at >= 0:
            if at == 0 or memory[at - 1] == 0:
                yield start + at
            at = memory.find(text, at + 1)


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
            replace_timer()
        return self.honest(x)
