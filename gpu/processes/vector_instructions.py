"""Finds out which of a processor's vector instructions Inductor may use, when it is imported.

Workers that are forked afterwards know. Each of them would compile a program for every kind, and
import torch in another process to load it.
"""

import os
import tempfile

from torch._inductor import cpu_vec_isa

FOLDER = "TORCHINDUCTOR_CACHE_DIR"

with tempfile.TemporaryDirectory() as place:
    usual = os.environ.get(FOLDER)
    os.environ[FOLDER] = place
    try:
        cpu_vec_isa.valid_vec_isa_list()
    except Exception:
        pass  # there is no compiler: whoever compiles will say so
    finally:
        os.environ.pop(FOLDER)
        if usual is not None:
            os.environ[FOLDER] = usual
