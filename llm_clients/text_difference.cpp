#include "llm_clients/text_difference.hpp"

#include "llm_clients/json_text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace lathe::llm_clients {

namespace {

constexpr std::size_t longest_excerpt = 80; // [characters] of a line that is shown
constexpr std::size_t shown_before = 20;    // [bytes] of it, before the first that differs

bool continues_character(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

// Returns the line of valid UTF-8 that goes from `begin` to its end, quoted, and of a long one the
// part around `focus`.
std::string excerpt(std::string_view text, std::size_t begin, std::size_t focus) {
  auto end = std::min(text.find('\n', focus), text.size());
  auto from = focus - begin <= longest_excerpt - shown_before ? begin : focus - shown_before;
  while (from > begin && continues_character(text[from]))
    --from;
  auto to = from;
  for (std::size_t characters = 0; to < end; ++to)
    if (!continues_character(text[to]) && characters++ == longest_excerpt)
      break;
  return fmt::format("{}{}{}", from > begin ? "..." : "", json_string(text.substr(from, to - from)),
                     to < end ? "..." : "");
}

} // namespace

std::size_t common_prefix(std::string_view a, std::string_view b) {
  auto differs = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first;
  return static_cast<std::size_t>(differs - a.begin());
}

std::string first_difference(std::string_view a, std::string_view b, text_versions names) {
  auto at = common_prefix(a, b);
  auto ends = [&at](std::string_view text) { return at == text.size() || text[at] == '\n'; };
  if (ends(a) && ends(b))
    ++at; // their lines are equal, but one text has more of them
  auto longer = a.size() < b.size() ? b : a;
  auto common = longer.substr(0, at);
  auto begin = common.rfind('\n') + 1; // npos + 1 is 0
  auto line = 1 + std::count(common.begin(), common.end(), '\n');
  auto version = [&](std::string_view text) {
    return begin > text.size() ? "nothing more" : excerpt(text, begin, at);
  };
  return fmt::format("line {}: {} {}, {} {}", line, names.first, version(a), names.second,
                     version(b));
}

} // namespace lathe::llm_clients
