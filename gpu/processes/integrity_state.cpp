#include "gpu/processes/integrity_state.hpp"

#include <sys/socket.h>
#include <unistd.h>

namespace lathe::native::integrity {

namespace {

std::string json_text(std::string_view text) {
  std::string result = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\')
      result += '\\';
    result += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return result + '"';
}

// A sentence, whatever foreign code had it say; cut between characters.
std::string shortened(std::string text) {
  constexpr std::size_t most = 1000; // [bytes]
  if (text.size() <= most)
    return text;
  auto end = most;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80)
    --end;
  return text.substr(0, end);
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

} // namespace

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

// Speaks past all Python: whatever was replaced there, this goes out.
void refuse(std::string_view rule, std::string evidence) {
  auto& s = self();
  if (!s.enforcing)
    return;
  auto text = "{\"id\": " + std::to_string(s.request)
              + ", \"ok\": false, \"kind\": \"refused\", \"rule\": " + json_text(rule)
              + ", \"message\": " + json_text(shortened(std::move(evidence))) + "}";
  text = s.seal.of(text) + text;
  ::send(s.channel, text.data(), text.size(), MSG_NOSIGNAL);
  ::_exit(1);
}

// The evaluator's functions are for the evaluator: not for foreign code, nor for its threads, nor
// for its finalizers, which run whenever an object ends.
void allow_own_code_alone() {
  auto& s = self();
  if (s.watching
      && (s.depth > 0 || PyThread_get_thread_ident() != s.main_thread || !asked_by_own_code()))
    refuse("harness-tampering", "it called a function of the evaluator");
}

} // namespace lathe::native::integrity
