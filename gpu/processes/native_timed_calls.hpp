#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

namespace lathe::native {

/// What `worker.py` calls for a block: timed_calls(callable, calls, flush_bytes, on_device) -> (ns,
/// host ns, changed). Each call is (arguments, memory), `memory` a list of (target, source, bytes):
/// copied before the call, and compared after it. `changed` says whether any call changed its
/// inputs. Between the first call and the last one no Python but foreign code runs, and little else:
/// a block should find the host's caches as a program finds them that calls again and again.
PyObject* timed_calls(PyObject*, PyObject* args);

} // namespace lathe::native
