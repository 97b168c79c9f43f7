#include "gpu/processes/native_timed_calls.hpp"

#include "gpu/processes/input_lock.hpp"
#include "gpu/processes/integrity_state.hpp"
#include "gpu/processes/native.hpp"
#include "gpu/processes/native_cuda.hpp"
#include "gpu/processes/native_integrity.hpp"

#include <cstring>
#include <exception>
#include <optional>
#include <vector>

namespace lathe::native {

namespace {

// What one call gets, and what has to be copied before it.
struct prepared_call {
  PyObject* arguments; // a tuple; borrowed
  std::vector<refill> memory;
  std::optional<gpu::input_key> key; // the sources are locked
};

bool from_python(PyObject* entry, refill& result) {
  unsigned long long target = 0, source = 0, bytes = 0;
  if (!PyArg_ParseTuple(entry, "KKK", &target, &source, &bytes))
    return false;
  result = {static_cast<std::uintptr_t>(target), static_cast<std::uintptr_t>(source),
            static_cast<std::size_t>(bytes)};
  return true;
}

bool from_python(PyObject* entry, prepared_call& result) {
  PyObject* memory = nullptr;
  const char* key = nullptr;
  Py_ssize_t key_size = 0;
  if (!PyArg_ParseTuple(entry, "O!O!s#", &PyTuple_Type, &result.arguments, &PyList_Type, &memory,
                        &key, &key_size))
    return false;
  if (key_size > 0)
    result.key = gpu::unwrapped({key, static_cast<std::size_t>(key_size)}, integrity::self().seal);
  result.memory.resize(static_cast<std::size_t>(PyList_GET_SIZE(memory)));
  for (std::size_t i = 0; i < result.memory.size(); ++i)
    if (!from_python(PyList_GET_ITEM(memory, static_cast<Py_ssize_t>(i)), result.memory[i]))
      return false;
  return true;
}

// The processor and its memory. Its clock is the host's.
struct host {
  std::size_t flush_bytes;
  std::int64_t began = 0;
  bool differences = false;

  void fill(const refill& x) {
    std::memcpy(reinterpret_cast<void*>(x.target), reinterpret_cast<const void*>(x.source),
                x.bytes);
  }

  void fill(const refill& x, const gpu::input_key& key) {
    gpu::toggle_lock(key, reinterpret_cast<const unsigned char*>(x.source),
                     reinterpret_cast<unsigned char*>(x.target), x.bytes);
  }

  void begin() {
    flush_cache(flush_bytes);
    began = now();
  }

  device_times end() {
    return {now() - began, 0};
  }

  void compare(const refill& x) {
    differences = differences
                  || std::memcmp(reinterpret_cast<const void*>(x.target),
                                 reinterpret_cast<const void*>(x.source), x.bytes)
                       != 0;
  }

  bool found_differences() {
    return differences;
  }
};

// The CUDA device. Copies and comparisons are given to it, and not waited for.
struct device {
  std::size_t flush_bytes;

  void fill(const refill& x) {
    copy_on_device(x);
  }

  void fill(const refill& x, const gpu::input_key& key) {
    copy_on_device(x, key);
  }

  void begin() {
    begin_device_call(flush_bytes);
  }

  device_times end() {
    return end_device_call();
  }

  void compare(const refill& x) {
    compare_on_device(x);
  }

  bool found_differences() {
    return take_differences();
  }
};

template <class Place>
void fill(Place& place, const prepared_call& call) {
  for (std::size_t i = 0; i < call.memory.size(); ++i)
    if (call.key)
      place.fill(call.memory[i], call.key->of_tensor(i));
    else
      place.fill(call.memory[i]);
}

// What was copied is locked again where its source is.
template <class Place>
void compare(Place& place, const prepared_call& call) {
  for (std::size_t i = 0; i < call.memory.size(); ++i) {
    auto& x = call.memory[i];
    if (call.key)
      place.fill({x.target, x.target, x.bytes}, call.key->of_tensor(i));
    place.compare(x);
  }
}

template <class Place>
std::optional<device_times> time_call(Place& place, PyObject* callable, const prepared_call& call) {
  fill(place, call);
  PyObject* result = nullptr;
  device_times times;
  {
    foreign_section section;
    place.begin();
    result = PyObject_Call(callable, call.arguments, nullptr);
    if (result != nullptr)
      times = place.end();
  }
  auto fine = look_after_timed(result);
  if (result == nullptr)
    return std::nullopt;
  drop(result);
  if (!fine)
    return std::nullopt;
  compare(place, call);
  return times;
}

PyObject* to_python(const std::vector<device_times>& times, bool changed) {
  auto size = static_cast<Py_ssize_t>(times.size());
  auto* device = PyList_New(size);
  auto* after = PyList_New(size);
  for (Py_ssize_t i = 0; device != nullptr && after != nullptr && i < size; ++i) {
    auto& x = times[static_cast<std::size_t>(i)];
    PyList_SET_ITEM(device, i, PyLong_FromLongLong(x.device));
    PyList_SET_ITEM(after, i, PyLong_FromLongLong(x.after));
  }
  return Py_BuildValue("(NNO)", device, after, changed ? Py_True : Py_False);
}

template <class Place>
PyObject* time_all(Place place, PyObject* callable, const std::vector<prepared_call>& calls) {
  std::vector<device_times> times;
  times.reserve(calls.size());
  for (auto& call : calls) {
    auto taken = time_call(place, callable, call);
    if (!taken) {
      look_after();
      return nullptr;
    }
    times.push_back(*taken);
  }
  look_after();
  return to_python(times, place.found_differences());
}

} // namespace

PyObject* toggle_lock(PyObject*, PyObject* args) {
  unsigned long long address = 0;
  Py_ssize_t size = 0, key_size = 0, number = 0;
  const char* key = nullptr;
  int on_device = 0;
  if (!PyArg_ParseTuple(args, "Kns#np", &address, &size, &key, &key_size, &number, &on_device))
    return nullptr;
  integrity::allow_own_code_alone();
  auto opened = gpu::unwrapped({key, static_cast<std::size_t>(key_size)}, integrity::self().seal)
                  .of_tensor(static_cast<std::size_t>(number));
  auto memory = static_cast<std::uintptr_t>(address);
  refill x{memory, memory, static_cast<std::size_t>(size)};
  try {
    if (on_device != 0)
      device{0}.fill(x, opened);
    else
      host{0}.fill(x, opened);
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
    return nullptr;
  }
  Py_RETURN_NONE;
}

PyObject* timed_calls(PyObject*, PyObject* args) {
  PyObject *callable = nullptr, *list = nullptr;
  Py_ssize_t flush_bytes = 0;
  int on_device = 0;
  if (!PyArg_ParseTuple(args, "OO!np", &callable, &PyList_Type, &list, &flush_bytes, &on_device))
    return nullptr;
  std::vector<prepared_call> calls(static_cast<std::size_t>(PyList_GET_SIZE(list)));
  for (std::size_t i = 0; i < calls.size(); ++i)
    if (!from_python(PyList_GET_ITEM(list, static_cast<Py_ssize_t>(i)), calls[i]))
      return nullptr;
  auto flush = static_cast<std::size_t>(flush_bytes);
  try {
    return on_device != 0 ? time_all(device{flush}, callable, calls)
                          : time_all(host{flush}, callable, calls);
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
    return nullptr;
  }
}

} // namespace lathe::native
