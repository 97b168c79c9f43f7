#pragma once

#include "gpu/processes/native_integrity.hpp"
#include "gpu/processes/reply_seal.hpp"

#include <array>
#include <csignal>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// The parts of native_integrity.hpp. Functions that look for something return when there is
/// nothing to be found, and end the process otherwise.
namespace lathe::native::integrity {

/// What foreign code is being called for.
enum class phase { setup, check, timed };

/// One name that must keep its meaning.
struct watched_name {
  std::string label;
  PyObject* holder; // a dict or a type
  PyObject* key;
  PyObject* value;
  PyObject* code = nullptr; // of a Python function, which can be replaced within it
  PyObject* defaults = nullptr;
};

/// A dict that must not grow either.
struct watched_dict {
  std::string label;
  PyObject* dict;
  Py_ssize_t size;
};

/// How torch is asked; looked up before foreign code came.
struct torch_functions {
  PyObject* tensor = nullptr; // the types that an output may have
  PyObject* parameter = nullptr;
  PyObject* places = nullptr; // functions that say whether a tensor lies where it should
  PyObject* clone = nullptr;            // of a tensor, without Python in between
  PyObject* memory = nullptr;           // functions: its address, its elements, bytes of each
  PyObject* describe_kernels = nullptr; // operator's name -> where its kernels come from
  PyObject* kernels = nullptr;          // [(operator, what describe_kernels said)]
  PyObject* copying = nullptr;          // those of them that copy an output
  PyObject* modes = nullptr;            // functions that count the modes that are on
};

/// What is known about this process. Never destroyed: foreign threads may outlive main.
struct state {
  gpu::reply_seal seal;
  int channel = -1;
  std::uint64_t request = 0;
  bool watching = false;
  bool enforcing = false;
  int depth = 0; // of foreign sections; the main thread's
  unsigned long main_thread = 0;
  integrity::phase phase = phase::setup;
  std::string source;                                 // the foreign file
  std::set<std::pair<PyObject*, PyObject*>> own_code; // globals and code of the evaluator's Python
  bool collecting = true;                             // foreign code wants its garbage collected
  std::vector<watched_name> names;
  std::vector<watched_dict> dicts;
  std::array<struct sigaction, 65> signals{}; // by number, those of real time as well
  torch_functions torch;
  std::array<const void*, 2> allocators{};
  std::uint64_t own_sum = 0;      // of this module's constant parts
  std::int64_t clock_offset = 0;  // [ns]
  std::int64_t others_at_end = 0; // [ns] processor time of other threads when foreign code ended
  int afterworks = 0;             // how often they worked on after that
  long calls = 0; // of the block
  bool compiled = false; // in one of them
  long captured_call = -1;
  bool has_to_keep = false; // what is captured
  PyObject* captured = nullptr;
  gpu::input_key kept_key = gpu::input_key::random(); // that outputs which are kept are locked with
  std::size_t kept = 0;                               // so many outputs so far
  std::map<PyObject*, std::size_t> kept_numbers;      // whose memory may be somebody else's by now
};

state& self();

/// Puts an exception aside, since Python's functions must not be called while there is one.
class pending_exception {
public:
#if PY_VERSION_HEX >= 0x030c0000
  pending_exception() : value_(PyErr_GetRaisedException()) {}

  ~pending_exception() {
    if (value_ != nullptr)
      PyErr_SetRaisedException(value_);
  }
#else
  pending_exception() {
    PyErr_Fetch(&type_, &value_, &trace_);
  }

  ~pending_exception() {
    if (type_ != nullptr)
      PyErr_Restore(type_, value_, trace_);
  }
#endif

  pending_exception(const pending_exception&) = delete;
  pending_exception& operator=(const pending_exception&) = delete;

private:
  PyObject* type_ = nullptr;
  PyObject* value_ = nullptr;
  PyObject* trace_ = nullptr;
};

// -- integrity_state.cpp --------------------------------------------------------------

/// Returns nothing for what is no text.
std::string utf8(PyObject* text);

/// Sends a sealed refusal and ends the process. Does nothing in a process that is only watched.
void refuse(std::string_view rule, std::string evidence);

/// Refuses everybody but the evaluator's own Python.
void allow_own_code_alone();

// -- integrity_events.cpp -------------------------------------------------------------

/// Whether `file` is the candidate's.
bool is_foreign(const std::string& file);

/// Judges what foreign code does, as Python's audit events tell it (PEP 578).
int on_event(const char* event, PyObject* arguments, void*);

// -- integrity_remains.cpp ------------------------------------------------------------

/// Notes what a name means now.
void watch_name(std::string label, PyObject* holder, PyObject* key);

/// Who hands out torch's memory, of the host and of a GPU; null where torch has none, or its
/// library is not loaded.
std::array<const void*, 2> allocators();

/// Who hands out memory for a copy of an output runs when the clock has stopped.
void look_for_allocators();
void look_for_replacements();
void look_for_interruptions();
void look_for_modes();
/// @param operators some of `torch_functions::kernels`
void look_for_kernels(PyObject* operators);

// -- integrity_clocks.cpp -------------------------------------------------------------

/// Returns a sum over what is constant of this module: its code, and the tables of functions that
/// it calls and offers.
std::uint64_t own_sum();

/// How far the clock that times calls is from the kernel's [ns].
std::int64_t clock_offset();

/// Processor time [ns] that all threads but this one have used.
std::int64_t time_of_other_threads();

void look_for_patches();
void look_for_work_between_calls();

// -- integrity_outputs.cpp ------------------------------------------------------------

/// Returns the output as nothing but plain lists, tuples, dicts and tensors, without asking it: an
/// object's own methods would be foreign code that runs when the clock has stopped. Null with a
/// Python error set for anything else.
/// @param clone whether tensors are copied, too
PyObject* copied(PyObject* x, bool clone);

/// Keeps a copy of `result`, or not. Where no call of a block has to be kept, each is as likely to
/// be as any other, and the lot is drawn when it is over: nobody can know which one will be
/// compared. Returns false with a Python error set for an output that cannot be copied.
bool draw_for(PyObject* result, gpu::output_use use);

/// Opens an output that was kept. It is locked until then: foreign code that was wrong when it was
/// called, and finds it, cannot put that right later. Returns false with a Python error set.
bool open_kept(PyObject* output);

} // namespace lathe::native::integrity
