#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "gpu/processes/call_guidance.hpp"

/// What keeps foreign code from speaking for the worker that it shares a process with. C++ that
/// foreign Python cannot replace: it looks before the worker's own Python runs on, so that whatever
/// foreign code left behind is found before it can act.
///
/// A broken rule ends the process: a sealed reply with kind "refused", the rule's name and a
/// sentence goes out first.
namespace lathe::native {

/// Marks the time in which foreign code runs; rules about what it may do hold within.
class foreign_section {
public:
  foreign_section();
  foreign_section(const foreign_section&) = delete;
  foreign_section& operator=(const foreign_section&) = delete;
  ~foreign_section();
};

/// Looks for what foreign code left behind. To be called when the clock has stopped and before any
/// Python of the worker's runs. An exception stays as it is.
void look_after();

/// The same after one of a block's timed calls, for what matters until the next one: `look_after`
/// follows when the block has ended. One output of a block is kept as a copy that is made here: one
/// that is to be kept, and otherwise one that is drawn by lot.
/// @param result of the call; null when it raised
/// @returns false, with a Python error set, when that output cannot be copied
bool look_after_timed(PyObject* result, gpu::output_use use);

/// Gives up a result of foreign code. Its finalizers, if any, count as foreign code.
void drop(PyObject* result);

/// What the worker's Python calls, for `PyModule_AddFunctions`.
PyMethodDef* integrity_methods();

} // namespace lathe::native
