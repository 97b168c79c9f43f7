// Files that people edit by hand: a recording of a run, and a scripted answer. Whatever is in them,
// they are read, or a line of theirs is named.
#include "llm_clients/cassette.hpp"
#include "llm_clients/script.hpp"
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

void require(bool holds, const char* what) {
  if (holds)
    return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

template <class T>
void check_mistake(const caf::expected<T>& x) {
  require(
    x || (x.error() == errc::user_error && describe(x.error()).find("file:") != std::string::npos),
    "a mistake is the user's, and has a place");
}

std::string written(const cassette& x, const kept_text& kept) {
  auto result = cassette_header();
  for (const auto& exchange : x.exchanges)
    result += cassette_line(exchange, kept);
  return result;
}

void read_recording(const std::string& text) {
  auto found = parse_cassette(text, "file");
  check_mistake(found);
  if (!found)
    return;
  require(found->whole <= text.size(), "no more is read than there is");
  const kept_text kept{{}};
  auto again = parse_cassette(written(*found, kept), "file");
  require(again && again->exchanges.size() == found->exchanges.size(), "what was read is written");
  require(written(*again, kept) == written(*found, kept), "and reads back the same");
}

recorded_exchange exchange(std::vector<follow_up> conversation, reply outcome) {
  recorded_exchange result;
  result.question = {"mlp", 7, "coder", "coder", "strong", "be brief", "hello"};
  result.question.follow_ups = std::move(conversation);
  result.hash = question_hash(result.question);
  result.asked = 1;
  result.outcome = std::move(outcome);
  return result;
}

} // namespace

// Errors carry a sentence, for which CAF's own types are enough.
void lathe::register_messages() {
  // nop
}

std::vector<std::string> lathe::fuzz::seeds() {
  llm_answer answer;
  answer.text = "hi\n\"there\"";
  const kept_text kept{{}};
  auto head = cassette_header();
  return {
    head + cassette_line(exchange({}, answer), kept),
    head + cassette_line(exchange({{"half", "go on"}}, failure{failure_kind::refuse, "no"}), kept)
      + "{\"key\":\"half a li",
    head,
    "match: layer_norm\r\nnot: attempt 2\ndelay: 0.2\ntokens: 900 450\nfinish: length\n---\nhi\n",
    "delay: 1e999\n---\n",
  };
}

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  caf::core::init_global_meta_objects();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string text{reinterpret_cast<const char*>(data), size};
  read_recording(text);
  check_mistake(parse_scripted_answer("file", text));
  return 0;
}
