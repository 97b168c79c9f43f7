// A model's answer: whatever it is, code and ideas are read out of it in time that grows with its
// length, and what is read is a part of it.
#include "llm_clients/answer_parsing.hpp"
#include "llm_clients/answer_text.hpp"
#include "llm_clients/cut_answer.hpp"
#include "messages/error.hpp"
#include "messages/registration.hpp"
#include "tests/fuzz/seeded_mutator.hpp"

#include <caf/init_global_meta_objects.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

using namespace lathe;
using namespace lathe::llm_clients;

namespace {

constexpr std::string_view code = "import torch\n\nclass ModelNew(torch.nn.Module):\n    x = 1\n";

void require(bool holds, const char* what) {
  if (holds)
    return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

// Without white space, fences and what JSON escapes, so that what is left of a text is a part of
// what was left of the answer.
std::string bare(std::string_view text) {
  std::string result;
  for (auto c : text)
    if (std::string_view{" \t\r\n"}.find(c) == std::string_view::npos)
      result += c;
  return result;
}

bool may_be_json(std::string_view answer) {
  return answer.find_first_of("{[") != std::string_view::npos;
}

void read_code(const std::string& answer) {
  for (auto cut : {false, true}) {
    auto found = extract_code(answer, cut);
    if (!found) {
      require(found.error() == errc::bad_answer, "no code is a bad answer");
      continue;
    }
    require(found->find('\r') == std::string::npos, "code has line feeds");
    require(found->find_first_not_of(" \t\n") != std::string::npos, "code is not blank");
    if (!may_be_json(answer))
      require(bare(answer).find(bare(*found)) != std::string::npos, "code is a part of its answer");
  }
  if (!has_whole_code(answer))
    return;
  // A last line that goes on may be the end of more reasoning.
  auto lines = answer.substr(0, answer.rfind('\n') + 1);
  auto found = extract_code(lines, true);
  require(found && found->find("class ModelNew") != std::string::npos, "what is whole is found");
  require(has_whole_code(lines + "words\n"), "what is whole stays whole");
}

void read_ideas(const std::string& answer) {
  auto ideas = extract_ideas(answer, 5);
  require(ideas.size() <= 5, "no more ideas than asked for");
  for (const auto& x : ideas)
    require(!x.empty() && x.find_first_of("\r\n") == std::string::npos, "an idea is one line");
}

// The first byte says where the answer is cut.
void join(std::string_view text, std::uint8_t place) {
  auto at = text.size() * place / 256;
  auto first = text.substr(0, at);
  auto second = text.substr(at);
  auto whole = join_parts(first, second);
  require(whole.size() <= text.size() + 8, "nothing comes in but a line feed or a fence");
  require(join_parts(first, "") == with_line_feeds(first), "nothing added changes nothing");
  llm_request asked;
  llm_answer answer;
  answer.text = first;
  answer.finish = "length";
  if (auto more = question_to_go_on(asked, answer))
    require(!question_to_go_on(*more, answer), "a model goes on once");
}

std::string repeated(std::string_view text, std::size_t times) {
  std::string result;
  for (std::size_t i = 0; i < times; ++i)
    result += text;
  return result;
}

// What is quadratic takes hours here.
void read_long(std::string_view piece) {
  if (piece.empty())
    return;
  auto text = repeated(piece, (64u << 10) / piece.size());
  extract_code(text);
  extract_ideas(text, 5);
  has_whole_code(text);
  join_parts(text, text);
}

} // namespace

// Errors carry a sentence, for which CAF's own types are enough.
void lathe::register_messages() {
  // nop
}

std::vector<std::string> lathe::fuzz::seeds() {
  std::string block = "```python\n" + std::string{code} + "```\n";
  return {
    "\x40Here:\n" + block + "Done.\n",
    "\x80<think>\n" + block + "</think>\r\n1. Code:\r\n   ~~~ {.py}\r\n   a = 1\r\n   ~~~\r\n",
    "\xc0```markdown\n# Plan\n" + block + "```\n````md\n" + block
      + "````\n```diff\n--- a\n+b\n```\n",
    "\x20{\"files\": [{\"path\": \"a.py\", \"content\": \"import torch\\nclass "
    "ModelNew(x):\\n\"}]}",
    "\x99```json\n{\"code\": \"import a\n\nclass ModelNew:\n  pass\n\"}\n```\n",
    "\x70Here is the code.\n\n" + std::string{code} + "\nThis is fast.\n",
    "\x10```python\ns = r'''\n```\n'''\nt = \"\"\"\n```\n\"\"\"\n" + std::string{code} + "```\n",
    "\x30"
    "1. **Fuse**: x\n   - a\n2) Tile\n• c\n## Head\n[\"a\", {\"b\": \"c\"}]\n",
    "\xff[\"a\", \"b\"]",
  };
}

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  caf::core::init_global_meta_objects();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0)
    return 0;
  std::string text{reinterpret_cast<const char*>(data) + 1, size - 1};
  read_code(text);
  read_ideas(text);
  join(text, data[0]);
  if (data[0] == 0xff && size < 12)
    read_long(text);
  return 0;
}
