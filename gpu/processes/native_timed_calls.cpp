#include "gpu/processes/native_timed_calls.hpp"

#include "gpu/processes/integrity_state.hpp"
#include "gpu/processes/native.hpp"
#include "gpu/processes/native_integrity.hpp"
#include "gpu/processes/native_kernel_call.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace lathe::native {

namespace {

// What one call gets, and what has to be copied before it.
struct prepared_call {
  PyObject* arguments; // a tuple; borrowed
  std::vector<refill> memory;
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
  if (!PyArg_ParseTuple(entry, "O!O!", &PyTuple_Type, &result.arguments, &PyList_Type, &memory))
    return false;
  result.memory.resize(static_cast<std::size_t>(PyList_GET_SIZE(memory)));
  for (std::size_t i = 0; i < result.memory.size(); ++i)
    if (!from_python(PyList_GET_ITEM(memory, static_cast<Py_ssize_t>(i)), result.memory[i]))
      return false;
  return true;
}

// No Python object ever holds a key, and no function of a library.
gpu::call_guidance ask_for_guidance(std::size_t call) {
  auto& s = integrity::self();
  auto question =
    "{\"id\":" + std::to_string(s.request) + ",\"call\":" + std::to_string(call) + "}";
  question = s.seal.of(question) + question;
  std::array<char, 256> buffer;
  auto insist = [&](long number, const char* memory, std::size_t bytes, int flags) {
    long done = 0;
    do
      done = kernel_call(number, s.channel, argument(memory), static_cast<long>(bytes), flags);
    while (done == -EINTR);
    return done;
  };
  auto size = insist(SYS_sendto, question.data(), question.size(), MSG_NOSIGNAL);
  if (size >= 0)
    size = insist(SYS_recvfrom, buffer.data(), buffer.size(), 0);
  std::string_view text{buffer.data(), size > 0 ? static_cast<std::size_t>(size) : 0};
  auto result = gpu::parse_guidance(text);
  for (volatile char& x : buffer)
    x = 0;
  if (!result)
    throw std::runtime_error{"the evaluator did not say what a timed call is called with"};
  return *result;
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

  static void fill(const refill& x, const gpu::input_key& key) {
    gpu::toggle_lock(key, reinterpret_cast<const unsigned char*>(x.source),
                     reinterpret_cast<unsigned char*>(x.target), x.bytes);
  }

  void settle() {
    flush_cache(flush_bytes);
  }

  void begin() {
    began = now();
  }

  device_times end() {
    return {now() - began, 0};
  }

  void finish() {
    // nop: all is done when it returns
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

  void settle() {
    settle_device(flush_bytes);
  }

  void begin() {
    begin_device_call();
  }

  device_times end() {
    return end_device_call();
  }

  // What copying an output takes belongs to its call, by the parent's clock.
  void finish() {
    wait_for_device();
  }

  void compare(const refill& x) {
    compare_on_device(x);
  }

  bool found_differences() {
    return take_differences();
  }
};

template <class Place>
void fill(Place& place, const prepared_call& call, const gpu::call_guidance& guided) {
  for (std::size_t i = 0; i < call.memory.size(); ++i)
    if (guided.key)
      place.fill(call.memory[i], guided.key->of_tensor(i));
    else
      place.fill(call.memory[i]);
}

// What was opened is locked again.
template <class Place>
void compare(Place& place, const prepared_call& call, const gpu::call_guidance& guided) {
  for (std::size_t i = 0; i < call.memory.size(); ++i) {
    auto& x = call.memory[i];
    if (guided.key)
      place.fill({x.target, x.target, x.bytes}, guided.key->of_tensor(i));
    place.compare(x);
  }
}

// Holds back all signals but in the calls themselves: a handler of foreign code runs on this
// thread, and could work while its inputs lie open and the clock stands.
class quiet_signals {
public:
  quiet_signals() {
    hold();
  }

  quiet_signals(const quiet_signals&) = delete;
  quiet_signals& operator=(const quiet_signals&) = delete;

  ~quiet_signals() {
    let_go();
  }

  // What has come meanwhile comes now.
  void let_go() {
    change(SIG_SETMASK, before_);
  }

  void hold() {
    before_ = change(SIG_BLOCK, ~std::uint64_t{0});
  }

private:
  static std::uint64_t change(int how, std::uint64_t mask) {
    std::uint64_t before = 0;
    kernel_call(SYS_rt_sigprocmask, how, argument(&mask), argument(&before), sizeof(mask));
    return before;
  }

  std::uint64_t before_ = 0;
};

template <class Place>
std::optional<device_times> time_call(Place& place, PyObject* callable, const prepared_call& call,
                                      const gpu::call_guidance& guided, quiet_signals& signals) {
  fill(place, call, guided);
  PyObject* result = nullptr;
  device_times times;
  {
    foreign_section section;
    place.settle();
    place.begin();
    signals.let_go();
    result = PyObject_Call(callable, call.arguments, nullptr);
    signals.hold();
    if (result != nullptr)
      times = place.end();
  }
  auto fine = look_after_timed(result, guided.output);
  if (result == nullptr)
    return std::nullopt;
  drop(result);
  if (!fine)
    return std::nullopt;
  place.finish();
  compare(place, call, guided);
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
PyObject* time_all(Place place, PyObject* callable, const std::vector<prepared_call>& calls,
                   bool guided) {
  std::vector<device_times> times;
  times.reserve(calls.size());
  quiet_signals signals;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    gpu::call_guidance told;
    if (guided)
      told = ask_for_guidance(i);
    auto taken = time_call(place, callable, calls[i], told, signals);
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

void toggle_memory(const refill& x, const gpu::input_key& key, bool on_device) {
  if (on_device)
    copy_on_device(x, key);
  else
    host::fill(x, key);
}

PyObject* toggle_lock(PyObject*, PyObject* args) {
  unsigned long long address = 0;
  Py_ssize_t size = 0, key_size = 0, number = 0;
  const char* key = nullptr;
  int on_device = 0;
  if (!PyArg_ParseTuple(args, "Kns#np", &address, &size, &key, &key_size, &number, &on_device))
    return nullptr;
  integrity::allow_own_code_alone();
  auto opened = gpu::input_key::from_text({key, static_cast<std::size_t>(key_size)})
                  .of_tensor(static_cast<std::size_t>(number));
  auto memory = static_cast<std::uintptr_t>(address);
  try {
    toggle_memory({memory, memory, static_cast<std::size_t>(size)}, opened, on_device != 0);
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
  int guided = 0;
  if (!PyArg_ParseTuple(args, "OO!npp", &callable, &PyList_Type, &list, &flush_bytes, &on_device,
                        &guided))
    return nullptr;
  std::vector<prepared_call> calls(static_cast<std::size_t>(PyList_GET_SIZE(list)));
  for (std::size_t i = 0; i < calls.size(); ++i)
    if (!from_python(PyList_GET_ITEM(list, static_cast<Py_ssize_t>(i)), calls[i]))
      return nullptr;
  integrity::allow_own_code_alone();
  auto flush = static_cast<std::size_t>(flush_bytes);
  try {
    return on_device != 0 ? time_all(device{flush}, callable, calls, guided != 0)
                          : time_all(host{flush}, callable, calls, guided != 0);
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
    return nullptr;
  }
}

} // namespace lathe::native
