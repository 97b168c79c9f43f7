// The Python module `lathe_native`: native.hpp as Python sees it.
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "gpu/processes/native.hpp"
#include "gpu/processes/native_cuda.hpp"
#include "gpu/processes/native_integrity.hpp"
#include "gpu/processes/native_timed_calls.hpp"

#include <algorithm>
#include <cerrno>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include <unistd.h>

namespace {

namespace native = lathe::native;

// Runs `body`; what it throws becomes an OSError.
template <class Body>
PyObject* guarded(Body body) {
  try {
    return body();
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_OSError, error.what());
    return nullptr;
  }
}

PyObject* none() {
  Py_INCREF(Py_None);
  return Py_None;
}

PyObject* to_python(const std::vector<std::string>& names) {
  auto list = PyList_New(0);
  for (const auto& name : names) {
    auto item = PyUnicode_FromStringAndSize(name.data(), static_cast<Py_ssize_t>(name.size()));
    if (item == nullptr || PyList_Append(list, item) != 0) {
      Py_XDECREF(item);
      Py_DECREF(list);
      return nullptr;
    }
    Py_DECREF(item);
  }
  return list;
}

// Reads a list of str. Returns false with a Python error set when it is anything else.
bool from_python(PyObject* list, std::vector<std::string>& result) {
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); ++i) {
    auto text = PyUnicode_AsUTF8(PyList_GET_ITEM(list, i));
    if (text == nullptr)
      return false;
    result.emplace_back(text);
  }
  return true;
}

// -- sandbox ------------------------------------------------------------------------------

PyObject* lead_process_group(PyObject*, PyObject*) {
  return guarded([] {
    native::lead_process_group();
    return none();
  });
}

PyObject* enter_namespaces(PyObject*, PyObject*) {
  return guarded([] { return to_python(native::enter_namespaces()); });
}

PyObject* fork_into(PyObject*, PyObject* args) {
  int cgroup = -1;
  if (!PyArg_ParseTuple(args, "i", &cgroup))
    return nullptr;
  PyOS_BeforeFork();
  auto pid = native::fork_into(cgroup);
  if (pid == 0)
    PyOS_AfterFork_Child();
  else
    PyOS_AfterFork_Parent(); // keeps errno
  return pid < 0 ? PyErr_SetFromErrno(PyExc_OSError) : PyLong_FromLong(pid);
}

PyObject* build_root(PyObject*, PyObject* args) {
  PyObject* read_only = nullptr;
  PyObject* devices = nullptr;
  unsigned long long tmp_bytes = 0;
  native::root_config config;
  if (!PyArg_ParseTuple(args, "O!O!K", &PyList_Type, &read_only, &PyList_Type, &devices, &tmp_bytes)
      || !from_python(read_only, config.read_only) || !from_python(devices, config.devices))
    return nullptr;
  config.tmp_bytes = tmp_bytes;
  return guarded([&] { return to_python(native::build_root(config)); });
}

PyObject* drop_privileges(PyObject*, PyObject* args) {
  unsigned int user = 0;
  if (!PyArg_ParseTuple(args, "I", &user))
    return nullptr;
  return guarded([&] {
    native::drop_privileges(user);
    return none();
  });
}

PyObject* limit_resources(PyObject*, PyObject* args) {
  unsigned long long memory = 0;
  unsigned long long processes = 0;
  unsigned long long file_size = 0;
  if (!PyArg_ParseTuple(args, "KKK", &memory, &processes, &file_size))
    return nullptr;
  return guarded([&] {
    native::limit_resources(memory, processes, file_size);
    return none();
  });
}

PyObject* filter_system_calls(PyObject*, PyObject*) {
  return guarded([] { return PyBool_FromLong(native::filter_system_calls()); });
}

PyObject* keep_house(PyObject*, PyObject* args) {
  int worker = 0;
  if (!PyArg_ParseTuple(args, "i", &worker))
    return nullptr;
  return PyLong_FromLong(native::keep_house(worker));
}

// -- timing -------------------------------------------------------------------------------

PyObject* poison_memory(PyObject*, PyObject* args) {
  int pattern = 0;
  if (!PyArg_ParseTuple(args, "i", &pattern))
    return nullptr;
  native::poison_memory(pattern);
  return none();
}

// -- CUDA ---------------------------------------------------------------------------------

// Runs `body`; what it throws becomes a RuntimeError, as torch's own CUDA errors are.
template <class Body>
PyObject* on_device(Body body) {
  try {
    return body();
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
    return nullptr;
  }
}

PyObject* to_python(const native::device_event& x) {
  return Py_BuildValue(
    "{s:s,s:s,s:s,s:L,s:L,s:L,s:I,s:O,s:(iii),s:(iii),s:i,s:i,s:i,s:L}", "kind", x.kind.c_str(),
    "symbol", x.symbol.c_str(), "name", x.name.c_str(), "start_ns", static_cast<long long>(x.start),
    "ns", static_cast<long long>(x.duration), "bytes", static_cast<long long>(x.bytes), "stream",
    x.stream, "graph", x.graph ? Py_True : Py_False, "grid", x.grid[0], x.grid[1], x.grid[2],
    "block", x.block[0], x.block[1], x.block[2], "registers", x.registers, "static_shared",
    x.static_shared, "dynamic_shared", x.dynamic_shared, "local", static_cast<long long>(x.local));
}

PyObject* to_python(const std::vector<native::device_event>& events) {
  auto* result = PyList_New(0);
  for (auto& x : events) {
    auto* item = result != nullptr ? to_python(x) : nullptr;
    if (item == nullptr || PyList_Append(result, item) != 0)
      Py_CLEAR(result);
    Py_XDECREF(item);
  }
  return result;
}

PyObject* to_python(const native::device_trace& trace) {
  auto number = [](std::int64_t x) { return static_cast<long long>(x); };
  return Py_BuildValue("{s:L,s:L,s:L,s:L,s:O,s:L,s:L,s:L,s:L,s:N}", "kernels",
                       number(trace.kernels), "own_ns", number(trace.own), "library_ns",
                       number(trace.library), "framework_ns", number(trace.framework), "graphs",
                       trace.graphs ? Py_True : Py_False, "streams", number(trace.streams),
                       "span_ns", number(trace.span), "busy_ns", number(trace.busy), "late_ns",
                       number(trace.late), "events", to_python(trace.events));
}

PyObject* traced_call(PyObject*, PyObject* args) {
  PyObject* callable = nullptr;
  PyObject* arguments = nullptr;
  long long patience = 0;
  Py_ssize_t events = 0;
  if (!PyArg_ParseTuple(args, "OO!L|n", &callable, &PyTuple_Type, &arguments, &patience, &events))
    return nullptr;
  return on_device([&]() -> PyObject* {
    native::begin_device_trace(static_cast<std::size_t>(std::max<Py_ssize_t>(0, events)));
    PyObject* result = nullptr;
    {
      native::foreign_section section;
      result = PyObject_Call(callable, arguments, nullptr);
    }
    auto trace = native::end_device_trace(patience);
    native::look_after();
    if (result == nullptr)
      return nullptr;
    native::drop(result);
    return to_python(trace);
  });
}

PyObject* detach_traces(PyObject*, PyObject*) {
  return on_device([] {
    native::detach_device_traces();
    return none();
  });
}

// Holds on to the interpreter: nobody changes the memory meanwhile.
PyObject* write_memory(PyObject*, PyObject* args) {
  int fd = -1;
  long long offset = 0;
  unsigned long long address = 0;
  Py_ssize_t size = 0;
  if (!PyArg_ParseTuple(args, "iLKn", &fd, &offset, &address, &size))
    return nullptr;
  auto* from = reinterpret_cast<const char*>(address);
  while (size > 0) {
    auto written = ::pwrite(fd, from, static_cast<std::size_t>(size), offset);
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      return PyErr_SetFromErrno(PyExc_OSError);
    from += written;
    offset += written;
    size -= written;
  }
  return none();
}

// Holds on to the interpreter, too.
PyObject* copy_to_device(PyObject*, PyObject* args) {
  native::file_part from;
  long long offset = 0;
  unsigned long long target = 0;
  Py_ssize_t size = 0;
  if (!PyArg_ParseTuple(args, "iLnK", &from.fd, &offset, &size, &target))
    return nullptr;
  from.offset = static_cast<std::uint64_t>(offset);
  from.bytes = static_cast<std::size_t>(size);
  return on_device([&] {
    native::copy_to_device(from, static_cast<std::uintptr_t>(target));
    return none();
  });
}

PyObject* copy_to_file(PyObject*, PyObject* args) {
  native::file_part to;
  unsigned long long source = 0;
  long long offset = 0;
  Py_ssize_t size = 0;
  int again = 0;
  if (!PyArg_ParseTuple(args, "KiLnp", &source, &to.fd, &offset, &size, &again))
    return nullptr;
  to.offset = static_cast<std::uint64_t>(offset);
  to.bytes = static_cast<std::size_t>(size);
  return on_device([&] {
    native::copy_to_file(static_cast<std::uintptr_t>(source), to, again != 0);
    return none();
  });
}

PyObject* forget_files(PyObject*, PyObject*) {
  native::forget_files();
  return none();
}

PyObject* wait_until_quiet(PyObject*, PyObject* args) {
  long long patience = 0;
  if (!PyArg_ParseTuple(args, "L", &patience))
    return nullptr;
  return on_device([&] { return PyBool_FromLong(native::wait_until_quiet(patience)); });
}

PyObject* load_driver(PyObject*, PyObject*) {
  return on_device([] {
    native::load_driver();
    return none();
  });
}

PyObject* wait_for_device(PyObject*, PyObject*) {
  return on_device([] {
    native::wait_for_device();
    return none();
  });
}

constexpr PyMethodDef methods[] = {
  {"lead_process_group", lead_process_group, METH_NOARGS,
   "lead_process_group(): lead a new process group that dies with its parent"},
  {"enter_namespaces", enter_namespaces, METH_NOARGS,
   "enter_namespaces() -> list of the namespaces that the host refuses"},
  {"fork_into", fork_into, METH_VARARGS,
   "fork_into(folder) -> as os.fork(); the child is in the control group of that open folder"},
  {"build_root", build_root, METH_VARARGS,
   "build_root(read_only, devices, tmp_bytes) -> list of what is missing"},
  {"drop_privileges", drop_privileges, METH_VARARGS, "drop_privileges(user): for good"},
  {"limit_resources", limit_resources, METH_VARARGS,
   "limit_resources(memory, processes, file_size)"},
  {"filter_system_calls", filter_system_calls, METH_NOARGS,
   "filter_system_calls() -> False where the host does not allow it"},
  {"keep_house", keep_house, METH_VARARGS,
   "keep_house(worker) -> its wait status, having reaped everything else"},
  {"timed_calls", native::timed_calls, METH_VARARGS,
   "timed_calls(callable, calls, flush_bytes, on_device, guided) -> (ns, host ns, changed)"},
  {"toggle_lock", native::toggle_lock, METH_VARARGS,
   "toggle_lock(address, bytes, key, number, on_device): of a tensor, in place"},
  {"poison_memory", poison_memory, METH_VARARGS, "poison_memory(pattern): 0 ends it"},
  {"traced_call", traced_call, METH_VARARGS,
   "traced_call(callable, args, patience_ns, events=0) -> what the device did"},
  {"detach_traces", detach_traces, METH_NOARGS,
   "detach_traces(): calls are as fast as before the first trace again"},
  {"write_memory", write_memory, METH_VARARGS,
   "write_memory(fd, offset, address, bytes): into a file"},
  {"copy_to_device", copy_to_device, METH_VARARGS,
   "copy_to_device(fd, offset, bytes, address): out of a file, and waits until it is there"},
  {"copy_to_file", copy_to_file, METH_VARARGS,
   "copy_to_file(address, fd, offset, bytes, again): the other way"},
  {"forget_files", forget_files, METH_NOARGS, "forget_files(): that were to be written to again"},
  {"wait_until_quiet", wait_until_quiet, METH_VARARGS,
   "wait_until_quiet(patience_ns) -> False when other processes' kernels still run"},
  {"load_driver", load_driver, METH_NOARGS, "load_driver(): CUDA's, without a context"},
  {"wait_for_device", wait_for_device, METH_NOARGS,
   "wait_for_device(): until it is idle; raises what went wrong on it"},
  {nullptr, nullptr, 0, nullptr}};

PyModuleDef module = {PyModuleDef_HEAD_INIT,
                      "lathe_native",
                      "What the evaluation processes do in C++.",
                      -1,
                      const_cast<PyMethodDef*>(methods), // Python only reads it
                      nullptr,
                      nullptr,
                      nullptr,
                      nullptr};

} // namespace

PyMODINIT_FUNC PyInit_lathe_native() {
  auto result = PyModule_Create(&module);
  if (result != nullptr)
    PyModule_AddFunctions(result, native::integrity_methods());
  return result;
}
