#include "llm_clients/secret.hpp"

#include <algorithm>
#include <charconv>
#include <functional>

namespace lathe::llm_clients {

namespace {

constexpr std::size_t shortest_real_key = 8;

// Whether `text` begins with `c` as hexadecimal digits, so many of them.
bool is_code(std::string_view text, std::size_t digits, char c) {
  unsigned code = 0;
  auto end = text.data() + std::min(digits, text.size());
  auto [read_to, error] = std::from_chars(text.data(), end, code, 16);
  return error == std::errc{} && read_to == text.data() + digits
         && code == static_cast<unsigned char>(c);
}

// Returns how many bytes at the start of `text` stand for `c`: as JSON escapes it, also within JSON
// within JSON, as URLs do, or as it is. 0: none.
std::size_t spelling_of(char c, std::string_view text) {
  auto slashes = std::min(text.find_first_not_of('\\'), text.size());
  auto rest = text.substr(slashes);
  if (slashes > 0 && rest.starts_with('u') && is_code(rest.substr(1), 4, c))
    return slashes + 5;
  if (slashes > 0 && (c == '"' || c == '/') && rest.starts_with(c))
    return slashes + 1;
  if (slashes > 1 && c == '\\')
    return 2;
  if (text.starts_with('%') && is_code(text.substr(1), 2, c))
    return 3;
  return text.starts_with(c) ? 1 : 0;
}

// Returns how many bytes at the start of `text` stand for `key`. 0: none.
std::size_t spelling_of(std::string_view key, std::string_view text) {
  if (text.starts_with(key))
    return key.size();
  std::size_t size = 0;
  for (auto c : key) {
    auto step = spelling_of(c, text.substr(size));
    if (step == 0)
      return 0;
    size += step;
  }
  return size;
}

struct occurrence {
  std::size_t at = std::string_view::npos;
  std::size_t size = 0;
};

occurrence find_key(std::string_view key, std::string_view text, std::size_t from) {
  if (text.find_first_of("\\%", from) == std::string_view::npos) // most texts, and much faster
    return {text.find(key, from), key.size()};
  const char starts[] = {key[0], '\\', '%'};
  for (auto at = from;
       (at = text.find_first_of({starts, sizeof starts}, at)) != std::string_view::npos; ++at)
    if (auto size = spelling_of(key, text.substr(at)); size > 0)
      return {at, size};
  return {};
}

} // namespace

secret::secret(std::string text) : text_(std::move(text)) {
  // nop
}

bool secret::sendable() const {
  return std::all_of(text_.begin(), text_.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

bool secret::occurs_in(std::string_view text) const {
  return text_.size() >= shortest_real_key && find_key(text_, text, 0).at != std::string_view::npos;
}

std::string secret::scrub(std::string text) const {
  if (text_.size() < shortest_real_key)
    return text;
  for (auto x = find_key(text_, text, 0); x.at != std::string::npos;
       x = find_key(text_, text, x.at + mask.size()))
    text.replace(x.at, x.size, mask);
  return text;
}

secret_list::secret_list(std::vector<secret> secrets) : secrets_(std::move(secrets)) {
  std::ranges::sort(secrets_, std::greater{}, [](const secret& x) { return x.reveal().size(); });
}

bool secret_list::occur_in(std::string_view text) const {
  return std::ranges::any_of(secrets_, [&](const secret& x) { return x.occurs_in(text); });
}

std::string secret_list::scrub(std::string text) const {
  for (const auto& x : secrets_)
    text = x.scrub(std::move(text));
  return text;
}

} // namespace lathe::llm_clients
