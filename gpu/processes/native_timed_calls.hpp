#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "gpu/processes/native_cuda.hpp"

namespace lathe::native {

/// What `worker.py` calls for a block: timed_calls(callable, calls, flush_bytes, on_device, guided)
/// -> (ns, host ns, changed). Each call is (arguments, memory), `memory` a list of (target, source,
/// bytes): copied before the call, and compared after it. `changed` says whether any call changed
/// its inputs. With `guided` each call first asks the other end of the socket whether its inputs
/// are locked and how they are opened, and whether its output has to be kept: what is not in the
/// process yet cannot be found there. Between the first call and the last one no Python but foreign
/// code runs, and little else: a block should find the host's caches as a program finds them that
/// calls again and again.
PyObject* timed_calls(PyObject*, PyObject* args);

/// Locks what is copied, or opens it, on a device in the order of its other work; source and target
/// may be the same.
void toggle_memory(const refill& x, const gpu::input_key& key, bool on_device);

/// toggle_lock(address, bytes, key, number, on_device): locks a tensor's memory in place, or opens
/// it; on a device in the order of its other work, and 16 bytes at a time. `key` is the text of its
/// inputs' one, `number` says which of their tensors it is, of those that are not empty.
PyObject* toggle_lock(PyObject*, PyObject* args);

} // namespace lathe::native
