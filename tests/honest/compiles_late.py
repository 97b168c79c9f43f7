# what: Compiles a case that it meets late, while it is timed, and keeps it where compilers do.
# runs on: cpu
# task: product
import os
import subprocess
import tempfile

import torch.nn as nn

LATE = 40


class ModelNew(nn.Module):
    def __init__(self, *args):
        super().__init__()
        self.calls = 0

    def forward(self, a, b):
        self.calls += 1
        if self.calls == LATE:
            self.compile_case()
        return a @ b

    def compile_case(self):
        folder = os.environ["TRITON_CACHE_DIR"]
        os.makedirs(folder, exist_ok=True)
        with tempfile.TemporaryDirectory() as place, tempfile.TemporaryFile("w+") as messages:
            with open(f"{place}/case.c", "w") as file:
                file.write("int answer(void) { return 42; }")
            for close in (True, False):
                subprocess.run(["/usr/bin/cc", "-shared", "-o", f"{folder}/case.so",
                                f"{place}/case.c"], stdout=messages, close_fds=close, check=True)
