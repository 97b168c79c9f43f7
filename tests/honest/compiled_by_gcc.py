# what: Builds a shared library with the host's compiler and calls it through ctypes.
# runs on: cpu
# task: reduction
import ctypes
import subprocess
import tempfile

import torch
import torch.nn as nn

SOURCE = """
#include <math.h>
void normalise(const float* x, const float* scale, float* y, long rows, long width) {
  for (long i = 0; i < rows; ++i) {
    double sum = 0;
    for (long j = 0; j < width; ++j)
      sum += (double)x[i * width + j] * x[i * width + j];
    float factor = 1 / sqrt(sum / width + 1e-6);
    for (long j = 0; j < width; ++j)
      y[i * width + j] = x[i * width + j] * factor * scale[j];
  }
}
"""


def build():
    folder = tempfile.mkdtemp()
    with open(folder + "/normalise.c", "w", encoding="ascii") as file:
        file.write(SOURCE)
    subprocess.run(["cc", "-O3", "-march=native", "-shared", "-fPIC", "-o", folder + "/lib.so",
                    folder + "/normalise.c", "-lm"], check=True)
    return ctypes.CDLL(folder + "/lib.so")


LIBRARY = build()


class ModelNew(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = nn.Parameter(torch.rand(width) + 0.5)

    def forward(self, x):
        y = torch.empty_like(x)
        pointers = [ctypes.c_void_p(t.data_ptr()) for t in (x, self.scale, y)]
        LIBRARY.normalise(*pointers, ctypes.c_long(x.shape[0]), ctypes.c_long(x.shape[1]))
        return y
