#include "gpu/processes/integrity_state.hpp"

#include <dlfcn.h>
#include <sys/time.h>

#include <string_view>

namespace lathe::native::integrity {

namespace {

PyObject* current(const watched_name& x) {
  return PyType_Check(x.holder) ? _PyType_Lookup(reinterpret_cast<PyTypeObject*>(x.holder), x.key)
                                : PyDict_GetItemWithError(x.holder, x.key);
}

bool same_function(const watched_name& x) {
  return x.code == nullptr
         || (PyFunction_GET_CODE(x.value) == x.code
             && PyFunction_GET_DEFAULTS(x.value) == x.defaults);
}

// The kernels of a device, and what comes before them, line by line.
std::string relevant(std::string_view dump) {
  std::string result;
  while (!dump.empty()) {
    auto end = dump.find('\n');
    auto line = dump.substr(0, end);
    dump.remove_prefix(end == std::string_view::npos ? dump.size() : end + 1);
    for (auto key : {"CPU", "CUDA", "Python", "Autograd", "BackendSelect", "ADInplaceOrView",
                     "Composite", "Functionalize"})
      if (line.starts_with(key)) {
        result += line;
        result += '\n';
      }
  }
  return result;
}

std::string kernels_of(PyObject* name) {
  auto* dump = PyObject_CallOneArg(self().torch.describe_kernels, name);
  auto result = relevant(utf8(dump));
  Py_XDECREF(dump);
  return result;
}

} // namespace

void watch_name(std::string label, PyObject* holder, PyObject* key) {
  watched_name x{std::move(label), Py_NewRef(holder), Py_NewRef(key), nullptr};
  x.value = current(x);
  Py_XINCREF(x.value);
  if (x.value != nullptr && PyFunction_Check(x.value)) {
    x.code = Py_NewRef(PyFunction_GET_CODE(x.value));
    x.defaults = PyFunction_GET_DEFAULTS(x.value);
    Py_XINCREF(x.defaults);
  }
  self().names.push_back(std::move(x));
}

void look_for_replacements() {
  for (auto& x : self().names)
    if (current(x) != x.value || !same_function(x))
      refuse("harness-tampering", "it replaced " + x.label);
  for (auto& x : self().dicts)
    if (PyDict_Size(x.dict) != x.size)
      refuse("harness-tampering", "it added to " + x.label + " or took away from it");
}

namespace {

// Compilers that candidates use (Triton's LLVM) handle signals in C to clean up after themselves. A
// handler of Python's, or one that was compiled here, is foreign code that waits for its moment.
bool is_a_librarys(void (*handler)(int)) {
  Dl_info found{};
  Dl_info python{};
  if (::dladdr(reinterpret_cast<void*>(handler), &found) == 0
      || ::dladdr(reinterpret_cast<void*>(&PyErr_CheckSignals), &python) == 0)
    return false;
  std::string_view file{found.dli_fname};
  return found.dli_fbase != python.dli_fbase && !file.starts_with("/tmp/")
         && !file.starts_with("/dev/shm/");
}

} // namespace

// Torch's libraries keep their names to themselves.
void* symbol_of(const char* library, const char* name) {
  auto* handle = ::dlopen(library, RTLD_LAZY | RTLD_NOLOAD);
  return handle != nullptr ? ::dlsym(handle, name) : nullptr;
}

std::array<const void*, 2> allocators() {
  using getter = const void* (*)();
  static const auto of_host =
    reinterpret_cast<getter>(symbol_of("libc10.so", "_ZN3c1015GetCPUAllocatorEv"));
  static const auto of_device = static_cast<const void* const*>(
    symbol_of("libc10_cuda.so", "_ZN3c104cuda20CUDACachingAllocator9allocatorE"));
  return {of_host != nullptr ? of_host() : nullptr, of_device != nullptr ? *of_device : nullptr};
}

// A GPU's comes when it is first needed.
void look_for_allocators() {
  auto& known = self().allocators;
  auto now = allocators();
  for (std::size_t i = 0; i < now.size(); ++i) {
    if (known[i] != nullptr && now[i] != known[i])
      refuse("harness-tampering", "it replaced who hands out torch's memory");
    known[i] = now[i];
  }
}

void look_for_interruptions() {
  auto* thread = PyThreadState_Get();
  if (thread->c_tracefunc != nullptr || thread->c_profilefunc != nullptr)
    refuse("harness-tampering", "it left a trace or profile function behind");
  auto& s = self();
  for (std::size_t number = 1; number < s.signals.size(); ++number) {
    struct sigaction found {};
    ::sigaction(static_cast<int>(number), nullptr, &found);
    if (found.sa_handler != s.signals[number].sa_handler && !is_a_librarys(found.sa_handler))
      refuse("harness-tampering", "it left a handler for signal " + std::to_string(number));
  }
  for (auto which : {ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF}) {
    itimerval found{};
    if (::getitimer(which, &found) == 0
        && (found.it_value.tv_sec != 0 || found.it_value.tv_usec != 0))
      refuse("harness-tampering", "it left a timer running");
  }
}

void look_for_modes() {
  auto* modes = self().torch.modes;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(modes); ++i) {
    auto* count = PyObject_CallNoArgs(PyTuple_GET_ITEM(modes, i));
    auto on = count != nullptr && PyLong_AsLong(count) > 0;
    Py_XDECREF(count);
    if (on)
      refuse("global-state", "a mode that takes over torch's functions is still on after the call "
                             "(torch.set_default_device leaves one, too)");
  }
}

// Operators that this process itself depends on.
void look_for_kernels(PyObject* operators) {
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(operators); ++i) {
    auto* entry = PyTuple_GET_ITEM(operators, i);
    auto* name = PyTuple_GET_ITEM(entry, 0);
    if (kernels_of(name) != relevant(utf8(PyTuple_GET_ITEM(entry, 1))))
      refuse("harness-tampering", "it replaced torch's kernels of " + utf8(name));
  }
}

} // namespace lathe::native::integrity
