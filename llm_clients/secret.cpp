#include "llm_clients/secret.hpp"

#include <algorithm>

namespace lathe::llm_clients {

namespace {

constexpr std::size_t shortest_real_key = 8;

} // namespace

secret::secret(std::string text) : text_(std::move(text)) {
  // nop
}

bool secret::sendable() const {
  return std::all_of(text_.begin(), text_.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

bool secret::occurs_in(std::string_view text) const {
  return text_.size() >= shortest_real_key && text.find(text_) != std::string_view::npos;
}

std::string secret::scrub(std::string text) const {
  if (text_.size() < shortest_real_key)
    return text;
  for (auto at = text.find(text_); at != std::string::npos; at = text.find(text_, at + mask.size()))
    text.replace(at, text_.size(), mask);
  return text;
}

} // namespace lathe::llm_clients
