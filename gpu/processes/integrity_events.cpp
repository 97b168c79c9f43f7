#include "gpu/processes/integrity_state.hpp"

#include <fcntl.h>

namespace lathe::native::integrity {

namespace {

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

// Programs that compilers for kernels ask, by their names.
bool is_compiler(std::string_view path) {
  // Elsewhere nobody can write.
  auto is_genuine = !path.starts_with("/tmp/") && !path.starts_with("/dev/shm/")
                    && path.find("..") == std::string_view::npos;
  auto name = path.substr(path.rfind('/') + 1);
  return is_genuine && path.starts_with('/')
         && is_one_of(name, {"ptxas", "ptxas-blackwell", "gcc", "g++", "cc", "c++", "clang",
                             "clang++", "x86_64-linux-gnu-gcc", "x86_64-linux-gnu-g++"});
}

// A compiler for kernels notes what it makes below /tmp, and asks an assembler. Anybody may look as
// if it did: blocks in which that happens are not counted, and there may be few of them.
bool looks_like_compiling(std::string_view event, PyObject* arguments) {
  auto what = first_text(arguments);
  if (event == "open")
    return what == "/tmp" || what.starts_with("/tmp/"); // a folder, for a file without a name
  return is_one_of(event, {"subprocess.Popen", "os.posix_spawn"}) && is_compiler(what);
}

void judge_timed_event(std::string_view event, PyObject* arguments) {
  auto writes = event == "open" && opens_for_writing(arguments);
  if ((writes || event != "open") && looks_like_compiling(event, arguments)) {
    self().compiled = true;
    return;
  }
  if (is_one_of(event,
                {"os.fork", "os.forkpty", "os.exec", "os.posix_spawn", "os.system",
                 "subprocess.Popen", "_thread.start_new_thread", "_thread.start_joinable_thread"}))
    refuse("background-work",
           "a timed call started a thread or a process (" + std::string{event} + ")");
  if (event.starts_with("gc.get_"))
    refuse("harness-tampering", "a timed call looked for objects by " + std::string{event});
  if (writes && first_text(arguments) != "/dev/null")
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
    refuse("obfuscated-code",
           "it runs code that does not stand in the file (" + std::string{event} + ")");
  if (is_one_of(event, {"import", "ctypes.dlopen"})) {
    auto name = first_text(arguments);
    if (is_one_of(name, {"lathe_native", "worker", "zygote"})
        || name.find("lathe_native") != std::string::npos)
      refuse("harness-tampering", "it imports " + name + ", a part of the evaluator");
  }
  if (self().phase == phase::timed)
    judge_timed_event(event, arguments);
}

} // namespace

bool is_foreign(const std::string& file) {
  return file == self().source || file == "<string>";
}

int on_event(const char* event, PyObject* arguments, void*) {
  auto& s = self();
  if (!s.enforcing)
    return 0;
  if (s.depth > 0 || PyThread_get_thread_ident() != s.main_thread || is_foreign(running_file()))
    judge_event(event, arguments);
  return 0;
}

} // namespace lathe::native::integrity
