#include "gpu/processes/native_integrity.hpp"

#include "gpu/processes/integrity_state.hpp"
#include "gpu/processes/native_cuda.hpp"

#include <sys/socket.h>

#include <exception>

namespace lathe::native {

using namespace integrity;

foreign_section::foreign_section() {
  allow_own_code_alone();
  auto& s = self();
  if (s.watching && s.phase == phase::timed && s.calls > 0)
    look_for_work_between_calls();
  ++s.depth;
  if (s.watching && s.collecting)
    PyGC_Enable();
}

// What garbage collection ends may have a finalizer of foreign code's: it runs within the section
// or not at all.
foreign_section::~foreign_section() {
  auto& s = self();
  --s.depth;
  if (s.watching)
    s.collecting = PyGC_Disable() != 0;
  s.others_at_end = time_of_other_threads();
}

void look_after() {
  if (!self().watching)
    return;
  pending_exception aside;
  look_for_interruptions();
  look_for_replacements();
  look_for_modes();
}

// What copies the output would ask a mode that is on.
bool look_after_timed(PyObject* result, gpu::output_use use) {
  if (!self().watching)
    return true;
  {
    pending_exception aside;
    look_for_modes();
  }
  look_for_allocators();
  return result == nullptr || draw_for(result, use);
}

void drop(PyObject* result) {
  pending_exception aside;
  foreign_section section;
  Py_DECREF(result);
}

// -- as Python sees it --------------------------------------------------------------------

namespace {

// Reads {"key": "..."}, the first message. No Python object ever holds it.
PyObject* take_key(PyObject*, PyObject* args) {
  int fd = -1;
  if (!PyArg_ParseTuple(args, "i", &fd))
    return nullptr;
  allow_own_code_alone();
  if (self().channel >= 0) {
    PyErr_SetString(PyExc_RuntimeError, "there is a key already");
    return nullptr;
  }
  std::array<char, 256> buffer{};
  auto size = ::recv(fd, buffer.data(), buffer.size(), 0);
  std::string_view text{buffer.data(), size > 0 ? static_cast<std::size_t>(size) : 0};
  constexpr std::string_view before = "{\"key\":\"";
  if (!text.starts_with(before) || text.size() < before.size() + gpu::reply_seal::key_digits) {
    PyErr_SetString(PyExc_OSError, "the first message holds no key");
    return nullptr;
  }
  text.remove_prefix(before.size());
  self().seal = gpu::reply_seal::from_text(text.substr(0, gpu::reply_seal::key_digits));
  ::explicit_bzero(buffer.data(), buffer.size());
  self().channel = fd;
  self().main_thread = PyThread_get_thread_ident();
  Py_RETURN_NONE;
}

PyObject* begin_request(PyObject*, PyObject* args) {
  unsigned long long id = 0;
  if (!PyArg_ParseTuple(args, "K", &id))
    return nullptr;
  allow_own_code_alone();
  self().request = id;
  Py_RETURN_NONE;
}

PyObject* sealed(PyObject*, PyObject* args) {
  const char* text = nullptr;
  Py_ssize_t size = 0;
  if (!PyArg_ParseTuple(args, "y#", &text, &size))
    return nullptr;
  allow_own_code_alone();
  auto message = std::string{text, static_cast<std::size_t>(size)};
  message = self().seal.of(message) + message;
  return PyBytes_FromStringAndSize(message.data(), static_cast<Py_ssize_t>(message.size()));
}

PyObject* watch(PyObject*, PyObject* args) {
  PyObject *own = nullptr, *whole = nullptr, *parts = nullptr, *torch = nullptr;
  const char* source = nullptr;
  int enforce = 0;
  if (!PyArg_ParseTuple(args, "spO!O!O!O!", &source, &enforce, &PyList_Type, &own, &PyList_Type,
                        &whole, &PyList_Type, &parts, &PyTuple_Type, &torch))
    return nullptr;
  allow_own_code_alone();
  auto& s = self();
  if (s.watching) {
    PyErr_SetString(PyExc_RuntimeError, "this process is watched already");
    return nullptr;
  }
  auto& t = s.torch;
  if (!PyArg_ParseTuple(torch, "OOO!OO!OO!O!O!", &t.tensor, &t.parameter, &PyTuple_Type, &t.places,
                        &t.clone, &PyTuple_Type, &t.memory, &t.describe_kernels, &PyTuple_Type,
                        &t.kernels, &PyTuple_Type, &t.copying, &PyTuple_Type, &t.modes))
    return nullptr;
  Py_INCREF(torch);
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(own); ++i) {
    PyObject *globals = nullptr, *code = nullptr;
    if (!PyArg_ParseTuple(PyList_GET_ITEM(own, i), "OO", &globals, &code))
      return nullptr;
    s.own_code.emplace(Py_NewRef(globals), Py_NewRef(code));
    s.own_code.emplace(globals, nullptr);
  }
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(whole); ++i) {
    const char* label = nullptr;
    PyObject* dict = nullptr;
    if (!PyArg_ParseTuple(PyList_GET_ITEM(whole, i), "sO!", &label, &PyDict_Type, &dict))
      return nullptr;
    PyObject *key = nullptr, *value = nullptr;
    for (Py_ssize_t at = 0; PyDict_Next(dict, &at, &key, &value);)
      watch_name(std::string{label} + "." + utf8(key), dict, key);
    s.dicts.push_back({label, Py_NewRef(dict), PyDict_Size(dict)});
  }
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(parts); ++i) {
    const char* label = nullptr;
    PyObject *holder = nullptr, *key = nullptr;
    if (!PyArg_ParseTuple(PyList_GET_ITEM(parts, i), "sOO", &label, &holder, &key))
      return nullptr;
    watch_name(std::string{label} + "." + utf8(key), holder, key);
  }
  for (std::size_t number = 1; number < s.signals.size(); ++number)
    ::sigaction(static_cast<int>(number), nullptr, &s.signals[number]);
  s.allocators = allocators();
  s.own_sum = own_sum();
  s.clock_offset = clock_offset();
  s.source = source;
  s.enforcing = enforce != 0;
  s.watching = true;
  if (PySys_AddAuditHook(on_event, nullptr) != 0)
    return nullptr;
  Py_RETURN_NONE;
}

PyObject* call_foreign(PyObject* callable, PyObject* arguments) {
  PyObject* result = nullptr;
  {
    foreign_section section;
    result = PyObject_Call(callable, arguments, nullptr);
  }
  look_after();
  return result;
}

PyObject* foreign_call(PyObject*, PyObject* args) {
  PyObject *callable = nullptr, *arguments = nullptr;
  if (!PyArg_ParseTuple(args, "OO!", &callable, &PyTuple_Type, &arguments))
    return nullptr;
  return call_foreign(callable, arguments);
}

// What a kernel did wrong comes out when the device is waited for.
bool device_is_fine() {
  try {
    wait_for_device();
    return true;
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
    return false;
  }
}

PyObject* model_call(PyObject*, PyObject* args) {
  PyObject *callable = nullptr, *arguments = nullptr;
  int on_device = 0;
  if (!PyArg_ParseTuple(args, "OO!p", &callable, &PyTuple_Type, &arguments, &on_device))
    return nullptr;
  auto* result = call_foreign(callable, arguments);
  if (result != nullptr && on_device != 0 && !device_is_fine()) {
    drop(result);
    return nullptr;
  }
  if (result == nullptr || !self().watching)
    return result;
  look_for_kernels(self().torch.kernels);
  look_for_allocators();
  auto* plain = copied(result, true);
  drop(result);
  return plain;
}

PyObject* enter_phase(PyObject*, PyObject* args) {
  const char* name = nullptr;
  if (!PyArg_ParseTuple(args, "s", &name))
    return nullptr;
  allow_own_code_alone();
  auto& s = self();
  s.phase = std::string_view{name} == "timed"   ? phase::timed
            : std::string_view{name} == "check" ? phase::check
                                                : phase::setup;
  if (s.watching)
    look_for_patches();
  if (s.phase == phase::timed) {
    s.calls = 0;
    s.captured_call = -1;
    s.has_to_keep = false;
    s.compiled = false;
    Py_CLEAR(s.captured);
  }
  Py_RETURN_NONE;
}

PyObject* captured_call(PyObject*, PyObject*) {
  return PyLong_FromLong(self().captured_call);
}

PyObject* compiled(PyObject*, PyObject*) {
  return PyBool_FromLong(self().compiled ? 1 : 0);
}

PyObject* captured(PyObject*, PyObject*) {
  allow_own_code_alone();
  auto& s = self();
  return Py_NewRef(s.captured != nullptr ? s.captured : Py_None);
}

PyObject* open_kept_output(PyObject*, PyObject* output) {
  allow_own_code_alone();
  try {
    return open_kept(output) ? Py_NewRef(Py_None) : nullptr;
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
    return nullptr;
  }
}

PyObject* look_at_kernels(PyObject*, PyObject*) {
  allow_own_code_alone();
  if (self().watching)
    look_for_kernels(self().torch.kernels);
  Py_RETURN_NONE;
}

PyObject* refuse_candidate(PyObject*, PyObject* args) {
  const char *rule = nullptr, *evidence = nullptr;
  if (!PyArg_ParseTuple(args, "ss", &rule, &evidence))
    return nullptr;
  allow_own_code_alone();
  refuse(rule, evidence);
  Py_RETURN_NONE;
}

constexpr PyMethodDef methods[] = {
  {"take_key", take_key, METH_VARARGS, "take_key(socket): the first message is for C++ alone"},
  {"begin_request", begin_request, METH_VARARGS, "begin_request(id): what a refusal answers"},
  {"sealed", sealed, METH_VARARGS, "sealed(reply) -> the same with a seal before it"},
  {"watch", watch, METH_VARARGS,
   "watch(source, enforce, own, whole, parts, torch): before foreign code"},
  {"foreign_call", foreign_call, METH_VARARGS,
   "foreign_call(callable, args) -> its result, having looked at what it left behind"},
  {"model_call", model_call, METH_VARARGS,
   "model_call(callable, args, on_device) -> a plain copy of its result, made before any Python"},
  {"enter_phase", enter_phase, METH_VARARGS, "enter_phase(name): setup, check or timed"},
  {"captured_call", captured_call, METH_NOARGS, "captured_call() -> which call's output was kept"},
  {"compiled", compiled, METH_NOARGS, "compiled() -> whether a call of the block compiled"},
  {"captured", captured, METH_NOARGS, "captured() -> that output, locked"},
  {"open_kept", open_kept_output, METH_O, "open_kept(output): that was captured"},
  {"look_at_kernels", look_at_kernels, METH_NOARGS,
   "look_at_kernels(): before an output is written with operators of torch"},
  {"refuse", refuse_candidate, METH_VARARGS, "refuse(rule, evidence): does not return"},
  {nullptr, nullptr, 0, nullptr}};

} // namespace

PyMethodDef* integrity_methods() {
  return const_cast<PyMethodDef*>(methods); // Python only reads it
}

} // namespace lathe::native
