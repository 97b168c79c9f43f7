#include "tools/llm_server/answer.hpp"

namespace lathe::llm_server {

namespace {

// The first byte of delta `number`. `number * size` stays far below 2^64: events and text are
// bounded.
std::size_t start_of(const answer& x, std::size_t number) {
  const auto& text = *x.text;
  auto result = number * text.size() / x.events;
  while (result < text.size() && (static_cast<unsigned char>(text[result]) & 0xC0) == 0x80)
    ++result; // in the middle of a character
  return result;
}

} // namespace

std::string_view delta_text(const answer& x, std::size_t number) {
  auto start = start_of(x, number);
  return std::string_view{*x.text}.substr(start, start_of(x, number + 1) - start);
}

} // namespace lathe::llm_server
