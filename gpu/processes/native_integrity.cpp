#include "gpu/processes/native_integrity.hpp"

#include "gpu/processes/native.hpp"
#include "gpu/processes/native_cuda.hpp"
#include "gpu/processes/reply_seal.hpp"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <exception>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lathe::native {

namespace {

enum class phase { setup, check, timed };

// One name that must keep its meaning. `holder` is a dict or a type.
struct watched_name {
  std::string label;
  PyObject* holder;
  PyObject* key;
  PyObject* value;
  PyObject* code = nullptr; // of a Python function, which can be replaced within it
  PyObject* defaults = nullptr;
};

// A dict that must not grow either.
struct watched_dict {
  std::string label;
  PyObject* dict;
  Py_ssize_t size;
};

// How torch is asked; looked up before foreign code came.
struct torch_functions {
  PyObject* tensor = nullptr;           // the types that an output may have
  PyObject* parameter = nullptr;
  PyObject* clone = nullptr;            // of a tensor, without Python in between
  PyObject* describe_kernels = nullptr; // operator's name -> where its kernels come from
  PyObject* kernels = nullptr;          // [(operator, what describe_kernels said)]
  PyObject* modes = nullptr;            // functions that count the modes that are on
};

// Never destroyed: foreign threads may outlive main.
struct state {
  gpu::reply_seal seal;
  int channel = -1;
  std::uint64_t request = 0;
  bool watching = false;
  bool enforcing = false;
  int depth = 0; // of foreign sections; the main thread's
  unsigned long main_thread = 0;
  native::phase phase = phase::setup;
  std::string source; // the foreign file
  std::set<std::pair<PyObject*, PyObject*>> own_code; // globals and code of the evaluator's Python
  bool collecting = true;                             // foreign code wants its garbage collected
  std::vector<watched_name> names;
  std::vector<watched_dict> dicts;
  std::array<struct sigaction, 32> signals{};
  torch_functions torch;
  std::uint64_t own_sum = 0;     // of this module's constant parts
  std::int64_t clock_offset = 0; // [ns]
  std::int64_t others_at_end = 0; // [ns] processor time of other threads when foreign code ended
  int afterworks = 0;             // how often they worked on after that
  bool in_block = false;
  long calls = 0; // of the block
  long captured_call = -1;
  PyObject* captured = nullptr;
};

state& self() {
  static auto* instance = new state;
  return *instance;
}

std::string utf8(PyObject* text) {
  auto* found = text != nullptr && PyUnicode_Check(text) ? PyUnicode_AsUTF8(text) : nullptr;
  if (found == nullptr)
    PyErr_Clear();
  return found != nullptr ? found : "";
}

std::string json_text(std::string_view text) {
  std::string result = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\')
      result += '\\';
    result += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return result + '"';
}

// Speaks past all Python: whatever was replaced there, this goes out.
void refuse(std::string_view rule, const std::string& evidence) {
  auto& s = self();
  if (!s.enforcing)
    return;
  auto text = "{\"id\": " + std::to_string(s.request)
              + ", \"ok\": false, \"kind\": \"refused\", \"rule\": " + json_text(rule)
              + ", \"message\": " + json_text(evidence) + "}";
  text = s.seal.of(text) + text;
  ::send(s.channel, text.data(), text.size(), MSG_NOSIGNAL);
  ::_exit(1);
}

bool is_own(PyFrameObject* frame, bool outermost) {
  auto* code = reinterpret_cast<PyObject*>(PyFrame_GetCode(frame));
  auto* globals = PyFrame_GetGlobals(frame);
  auto& own = self().own_code;
  // The script's own level is no function.
  auto result = own.count({globals, code}) > 0 || (outermost && own.count({globals, nullptr}) > 0);
  Py_DECREF(code);
  Py_DECREF(globals);
  return result;
}

// Whether all who wait for the answer are the evaluator's: a finalizer of foreign code's may call
// the evaluator's Python, too.
bool asked_by_own_code() {
  auto* frame = PyEval_GetFrame();
  Py_XINCREF(frame);
  auto own = frame != nullptr;
  while (frame != nullptr) {
    auto* back = PyFrame_GetBack(frame);
    own = own && is_own(frame, back == nullptr);
    Py_DECREF(frame);
    frame = back;
  }
  return own;
}

// The evaluator's functions are for the evaluator: not for foreign code, nor for its threads, nor
// for its finalizers, which run whenever an object ends.
void allow_own_code_alone() {
  auto& s = self();
  if (s.watching
      && (s.depth > 0 || PyThread_get_thread_ident() != s.main_thread || !asked_by_own_code()))
    refuse("harness-tampering", "it called a function of the evaluator");
}

// Puts an exception aside, since Python's functions must not be called while there is one.
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

// -- what foreign code does: audit events -------------------------------------------------

// The file of the Python code that runs right now; `up` callers higher.
std::string running_file(int up = 0) {
  auto* frame = PyEval_GetFrame();
  Py_XINCREF(frame);
  for (; frame != nullptr && up > 0; --up) {
    auto* back = PyFrame_GetBack(frame);
    Py_DECREF(frame);
    frame = back;
  }
  if (frame == nullptr)
    return "";
  auto* code = PyFrame_GetCode(frame);
  auto result = utf8(code->co_filename);
  Py_DECREF(code);
  Py_DECREF(frame);
  return result;
}

bool is_foreign(const std::string& file) {
  return file == self().source || file == "<string>";
}

// Whether foreign code did it itself, or had `inspect` do it.
bool asked_by_foreign_code() {
  auto file = running_file();
  for (int up = 1; up < 4 && file.ends_with("/inspect.py"); ++up)
    file = running_file(up);
  return is_foreign(file);
}

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> list) {
  for (auto x : list)
    if (text == x)
      return true;
  return false;
}

bool opens_for_writing(PyObject* arguments) {
  if (PyTuple_GET_SIZE(arguments) < 3)
    return false;
  auto flags = PyLong_AsLong(PyTuple_GET_ITEM(arguments, 2));
  if (flags == -1 && PyErr_Occurred() != nullptr)
    PyErr_Clear();
  return flags != -1 && (flags & (O_WRONLY | O_RDWR | O_CREAT)) != 0;
}

std::string first_text(PyObject* arguments) {
  return PyTuple_GET_SIZE(arguments) > 0 ? utf8(PyTuple_GET_ITEM(arguments, 0)) : "";
}

void judge_timed_event(std::string_view event, PyObject* arguments) {
  if (is_one_of(event, {"os.fork", "os.forkpty", "os.exec", "os.posix_spawn", "os.system",
                        "subprocess.Popen", "_thread.start_new_thread",
                        "_thread.start_joinable_thread"}))
    refuse("background-work", "a timed call started a thread or a process ("
                                + std::string{event} + ")");
  if (event.starts_with("gc.get_"))
    refuse("harness-tampering", "a timed call looked for objects by " + std::string{event});
  if (event == "open" && opens_for_writing(arguments) && first_text(arguments) != "/dev/null")
    refuse("file-activity",
           "a timed call opened the file " + first_text(arguments) + " for writing");
}

void judge_event(std::string_view event, PyObject* arguments) {
  if (event == "sys.addaudithook")
    refuse("harness-tampering", "it added an audit hook");
  if (is_one_of(event, {"gc.get_objects", "gc.get_referrers", "gc.get_referents", "sys._getframe",
                        "sys._current_frames", "sys._current_exceptions", "sys.settrace",
                        "sys.setprofile", "sys.monitoring.register_callback"})
      && asked_by_foreign_code())
    refuse("harness-tampering", "it called " + std::string{event}
                                  + ", which shows objects or calls that are not its own");
  if (is_one_of(event, {"exec", "compile", "marshal.loads"}) && is_foreign(running_file()))
    refuse("obfuscated-code", "it runs code that does not stand in the file (" + std::string{event}
                                + ")");
  if (is_one_of(event, {"import", "ctypes.dlopen"})) {
    auto name = first_text(arguments);
    if (is_one_of(name, {"lathe_native", "worker", "zygote"})
        || name.find("lathe_native") != std::string::npos)
      refuse("harness-tampering", "it imports " + name + ", a part of the evaluator");
  }
  if (self().phase == phase::timed)
    judge_timed_event(event, arguments);
}

int on_event(const char* event, PyObject* arguments, void*) {
  auto& s = self();
  if (!s.enforcing)
    return 0;
  if (s.depth > 0 || PyThread_get_thread_ident() != s.main_thread || is_foreign(running_file()))
    judge_event(event, arguments);
  return 0;
}

// -- what foreign code left behind --------------------------------------------------------

PyObject* current(const watched_name& x) {
  return PyType_Check(x.holder)
           ? _PyType_Lookup(reinterpret_cast<PyTypeObject*>(x.holder), x.key)
           : PyDict_GetItemWithError(x.holder, x.key);
}

bool same_function(const watched_name& x) {
  return x.code == nullptr
         || (PyFunction_GET_CODE(x.value) == x.code
             && PyFunction_GET_DEFAULTS(x.value) == x.defaults);
}

void look_for_replacements() {
  for (auto& x : self().names)
    if (current(x) != x.value || !same_function(x))
      refuse("harness-tampering", "it replaced " + x.label);
  for (auto& x : self().dicts)
    if (PyDict_Size(x.dict) != x.size)
      refuse("harness-tampering", "it added to " + x.label + " or took away from it");
}

void look_for_interruptions() {
  auto* thread = PyThreadState_Get();
  if (thread->c_tracefunc != nullptr || thread->c_profilefunc != nullptr)
    refuse("harness-tampering", "it left a trace or profile function behind");
  auto& s = self();
  for (int number = 1; number < 32; ++number) {
    struct sigaction found {};
    ::sigaction(number, nullptr, &found);
    if (found.sa_handler != s.signals[static_cast<std::size_t>(number)].sa_handler)
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

// Operators that this process itself depends on.
void look_for_kernels() {
  auto* kernels = self().torch.kernels;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(kernels); ++i) {
    auto* entry = PyTuple_GET_ITEM(kernels, i);
    auto* name = PyTuple_GET_ITEM(entry, 0);
    if (kernels_of(name) != relevant(utf8(PyTuple_GET_ITEM(entry, 1))))
      refuse("harness-tampering", "it replaced torch's kernels of " + utf8(name));
  }
}

// -- this module itself -------------------------------------------------------------------

// The kernel's own clock, without a function that could have been replaced.
std::int64_t kernel_clock() {
  timespec t{};
  long result = SYS_clock_gettime;
#if defined(__x86_64__)
  __asm__ volatile("syscall"
                   : "+a"(result)
                   : "D"(CLOCK_MONOTONIC_RAW), "S"(&t)
                   : "rcx", "r11", "memory");
#else
  result = ::syscall(SYS_clock_gettime, CLOCK_MONOTONIC_RAW, &t);
#endif
  return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

// A sum over what is constant of the module that holds `address`: its code, and the tables of
// functions that it calls and offers.
struct module_sum {
  std::uintptr_t address;
  std::uint64_t sum = 0;

  void add(const char* from, std::size_t size) {
    for (std::size_t at = 0; at + 8 <= size; at += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, from + at, 8);
      sum = (sum ^ word) * 0x9e37'79b9'7f4a'7c15;
      sum ^= sum >> 32;
    }
  }
};

int add_module(dl_phdr_info* info, std::size_t, void* into) {
  auto& x = *static_cast<module_sum*>(into);
  auto holds = false;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    auto& part = info->dlpi_phdr[i];
    auto begin = info->dlpi_addr + part.p_vaddr;
    holds = holds || (part.p_type == PT_LOAD && x.address >= begin && x.address < begin + part.p_memsz);
  }
  for (int i = 0; holds && i < info->dlpi_phnum; ++i) {
    auto& part = info->dlpi_phdr[i];
    if ((part.p_type == PT_LOAD && (part.p_flags & PF_W) == 0) || part.p_type == PT_GNU_RELRO)
      x.add(reinterpret_cast<const char*>(info->dlpi_addr + part.p_vaddr), part.p_memsz);
  }
  return holds ? 1 : 0;
}

std::uint64_t own_sum() {
  module_sum x{reinterpret_cast<std::uintptr_t>(&add_module)};
  ::dl_iterate_phdr(add_module, &x);
  return x.sum;
}

// How far the clock that times calls is from the kernel's [ns].
std::int64_t clock_offset() {
  return now() - kernel_clock();
}

// Both clocks are read one after the other, and something may come in between.
constexpr std::int64_t clock_slack = 2'000'000; // [ns]

void look_for_patches() {
  auto& s = self();
  auto moved = clock_offset() - s.clock_offset;
  if (moved > clock_slack || moved < -clock_slack)
    refuse("timer-tampering", "the clock that times its calls does not keep the kernel's time");
  if (own_sum() != s.own_sum)
    refuse("timer-tampering", "it changed the evaluator's native code or tables");
}

// -- outputs ------------------------------------------------------------------------------

bool is_plain(PyObject* x) {
  return x == Py_None || PyBool_Check(x) || PyLong_CheckExact(x) || PyFloat_CheckExact(x)
         || PyUnicode_CheckExact(x);
}

PyObject* copied(PyObject* x, bool clone);

PyObject* copied_sequence(PyObject* x, bool clone) {
  bool is_list = PyList_Check(x);
  auto size = is_list ? PyList_GET_SIZE(x) : PyTuple_GET_SIZE(x);
  auto* result = is_list ? PyList_New(size) : PyTuple_New(size);
  for (Py_ssize_t i = 0; result != nullptr && i < size; ++i) {
    auto* item = copied(is_list ? PyList_GET_ITEM(x, i) : PyTuple_GET_ITEM(x, i), clone);
    if (item == nullptr)
      Py_CLEAR(result);
    else if (is_list)
      PyList_SET_ITEM(result, i, item);
    else
      PyTuple_SET_ITEM(result, i, item);
  }
  return result;
}

PyObject* copied_dict(PyObject* x, bool clone) {
  auto* result = PyDict_New();
  PyObject* key = nullptr;
  PyObject* value = nullptr;
  for (Py_ssize_t at = 0; result != nullptr && PyDict_Next(x, &at, &key, &value);) {
    auto* item = PyUnicode_CheckExact(key) ? copied(value, clone) : nullptr;
    if (item == nullptr && PyErr_Occurred() == nullptr)
      PyErr_SetString(PyExc_TypeError,
                      "a dict travels between processes only if its keys are strings");
    if (item == nullptr || PyDict_SetItem(result, key, item) != 0)
      Py_CLEAR(result);
    Py_XDECREF(item);
  }
  return result;
}

// Returns the output as nothing but plain lists, tuples, dicts and tensors, without asking it: an
// object's own methods would be foreign code that runs when the clock has stopped. Null with a
// Python error set for anything else.
PyObject* copied(PyObject* x, bool clone) {
  auto& torch = self().torch;
  auto* type = reinterpret_cast<PyObject*>(Py_TYPE(x));
  if (type == torch.tensor || type == torch.parameter)
    return clone ? PyObject_CallOneArg(torch.clone, x) : Py_NewRef(x);
  if (is_plain(x))
    return Py_NewRef(x);
  if (PyList_Check(x) || PyTuple_Check(x))
    return copied_sequence(x, clone);
  if (PyDict_Check(x))
    return copied_dict(x, clone);
  if (PyType_IsSubtype(Py_TYPE(x), reinterpret_cast<PyTypeObject*>(torch.tensor)))
    refuse("lazy-tensor", std::string{"the output is a "} + Py_TYPE(x)->tp_name
                            + ", which is not a torch.Tensor proper");
  PyErr_Format(PyExc_TypeError, "a value of type %s cannot travel between processes",
               Py_TYPE(x)->tp_name);
  return nullptr;
}

// A number below `bound`, from the kernel.
long draw_lot(long bound) {
  std::uint64_t x = 0;
  if (::getrandom(&x, sizeof(x), 0) != sizeof(x))
    return 0;
  return static_cast<long>(x % static_cast<std::uint64_t>(bound));
}

// Every call of a block is as likely to be kept as any other, and the lot is drawn when it is over:
// nobody can know which one will be compared.
bool draw_for(PyObject* result) {
  auto& s = self();
  auto call = s.calls++;
  auto chosen = draw_lot(call + 1) == 0;
  if (chosen)
    look_for_kernels();
  auto* kept = copied(result, chosen); // its types are looked at in any case
  if (kept != nullptr && chosen) {
    std::swap(s.captured, kept);
    s.captured_call = call;
  }
  Py_XDECREF(kept);
  return PyErr_Occurred() == nullptr;
}

// -- other threads ------------------------------------------------------------------------

std::int64_t read_clock(clockid_t which) {
  timespec t{};
  ::clock_gettime(which, &t);
  return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

// Processor time [ns] that all threads but this one have used.
std::int64_t time_of_other_threads() {
  return read_clock(CLOCK_PROCESS_CPUTIME_ID) - read_clock(CLOCK_THREAD_CPUTIME_ID);
}

// A thread that ends its work a moment after its call did is nobody's cheat; one that works on the
// next inputs while they are being laid out is.
constexpr std::int64_t afterwork = 100'000; // [ns]
constexpr int most_afterwork = 4;           // calls of a race

void look_for_work_between_calls() {
  auto& s = self();
  auto worked = time_of_other_threads() - s.others_at_end;
  if (worked <= afterwork || ++s.afterworks <= most_afterwork)
    return;
  refuse("background-work", "its threads worked for " + std::to_string(worked / 1000)
                              + " us between two timed calls");
}

} // namespace

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

bool look_after(PyObject* result) {
  auto& s = self();
  if (!s.watching)
    return true;
  {
    pending_exception aside;
    look_for_interruptions();
    look_for_replacements();
    look_for_modes();
  }
  return result == nullptr || !s.in_block || draw_for(result);
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
  if (!PyArg_ParseTuple(torch, "OOOOO!O!", &t.tensor, &t.parameter, &t.clone, &t.describe_kernels,
                        &PyTuple_Type, &t.kernels, &PyTuple_Type, &t.modes))
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
  for (int number = 1; number < 32; ++number)
    ::sigaction(number, nullptr, &s.signals[static_cast<std::size_t>(number)]);
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
  look_after(result);
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
  look_for_kernels();
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
  s.in_block = s.phase == phase::timed;
  if (s.watching)
    look_for_patches();
  if (s.in_block) {
    s.calls = 0;
    s.captured_call = -1;
    Py_CLEAR(s.captured);
  }
  Py_RETURN_NONE;
}

PyObject* captured_call(PyObject*, PyObject*) {
  return PyLong_FromLong(self().captured_call);
}

PyObject* captured(PyObject*, PyObject*) {
  allow_own_code_alone();
  auto& s = self();
  return Py_NewRef(s.captured != nullptr ? s.captured : Py_None);
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
  {"watch", watch, METH_VARARGS, "watch(source, enforce, own, whole, parts, torch): before foreign code"},
  {"foreign_call", foreign_call, METH_VARARGS,
   "foreign_call(callable, args) -> its result, having looked at what it left behind"},
  {"model_call", model_call, METH_VARARGS,
   "model_call(callable, args, on_device) -> a plain copy of its result, made before any Python"},
  {"enter_phase", enter_phase, METH_VARARGS, "enter_phase(name): setup, check or timed"},
  {"captured_call", captured_call, METH_NOARGS, "captured_call() -> which call's output was kept"},
  {"captured", captured, METH_NOARGS, "captured() -> that output"},
  {"refuse", refuse_candidate, METH_VARARGS, "refuse(rule, evidence): does not return"},
  {nullptr, nullptr, 0, nullptr}};

} // namespace

PyMethodDef* integrity_methods() {
  return const_cast<PyMethodDef*>(methods); // Python only reads it
}

} // namespace lathe::native
