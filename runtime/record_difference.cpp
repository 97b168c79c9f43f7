#include "runtime/record_difference.hpp"

#include "llm_clients/text_difference.hpp"
#include "runtime/recording.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace lathe::runtime {

namespace {

constexpr std::size_t longest_excerpt = 80; // [bytes]
constexpr std::size_t shown_before = 20;    // [bytes] of it, before the first that differs
constexpr std::size_t hash_size = 64;

bool continues_character(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

// Returns where the field begins, with its name, in which `at` lies.
std::size_t field_before(std::string_view payload, std::size_t at) {
  auto ends = payload.rfind("\":", at);
  while (ends != std::string_view::npos && ends > 0 && payload[ends - 1] == '\\')
    ends = payload.rfind("\":", ends - 1);
  if (ends == std::string_view::npos || ends == 0)
    return 0;
  auto begins = payload.rfind('"', ends - 1);
  return begins == std::string_view::npos ? 0 : begins;
}

std::string_view excerpt(std::string_view payload, std::size_t begin) {
  auto size = std::min(payload.size() - begin, longest_excerpt);
  while (begin + size < payload.size() && continues_character(payload[begin + size]))
    ++size;
  return payload.substr(begin, size);
}

// Returns the hash in which `at` lies, or nothing.
std::string hash_around(std::string_view payload, std::size_t at) {
  auto begin = payload.substr(0, at).rfind('"');
  auto end = payload.find('"', at);
  if (begin == std::string_view::npos || end != begin + 1 + hash_size)
    return {};
  auto result = payload.substr(begin + 1, hash_size);
  auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return std::ranges::all_of(result, is_digit) ? std::string{result} : std::string{};
}

std::string field_name(std::string_view payload, std::size_t begin) {
  auto end = payload.find('"', begin + 1);
  return end == std::string_view::npos ? std::string{"payload"}
                                       : std::string{payload.substr(begin + 1, end - begin - 1)};
}

std::optional<std::string> text_difference(const record_version& recorded,
                                           const record_version& now, std::size_t at) {
  auto old_hash = hash_around(recorded.record.payload, at);
  auto new_hash = hash_around(now.record.payload, at);
  if (old_hash.empty() || new_hash.empty())
    return std::nullopt;
  auto old_text = recorded.text_of(old_hash);
  auto new_text = now.text_of(new_hash);
  if (!old_text || !new_text || *old_text == *new_text)
    return std::nullopt;
  return llm_clients::first_difference(*old_text, *new_text, {"recorded", "now"});
}

} // namespace

text_lookup texts_of(journal_store& journal) {
  return [&journal](const std::string& hash) -> std::optional<std::string> {
    auto text = journal.content(hash);
    return text ? std::move(*text) : std::nullopt;
  };
}

std::string name_of(const journal_record& record) {
  auto whose = record.session.empty() ? "" : fmt::format(" of task '{}'", record.session);
  return fmt::format("event {} ({}{})", record.seq, record.kind, whose);
}

std::string difference(const record_version& recorded, const record_version& now) {
  const auto& x = recorded.record;
  const auto& y = now.record;
  if (x.kind != y.kind || x.session != y.session)
    return fmt::format("recorded {} {}, now {}{} {}", x.kind, excerpt(x.payload, 0), y.kind,
                       x.session == y.session ? "" : fmt::format(" of task '{}'", y.session),
                       excerpt(y.payload, 0));
  auto at = llm_clients::common_prefix(x.payload, y.payload);
  auto begin = field_before(x.payload, at);
  auto field = field_name(x.payload, begin);
  if (auto texts = text_difference(recorded, now, at))
    return fmt::format("the text of its '{}' differs first in {}", field, *texts);
  if (at > begin + longest_excerpt - shown_before)
    begin = at - shown_before;
  while (begin > 0 && continues_character(x.payload[begin]))
    --begin;
  return fmt::format("its '{}' differs: recorded {}, now {}", field, excerpt(x.payload, begin),
                     excerpt(y.payload, begin));
}

caf::expected<std::string> compare_journals(journal_store& recorded, journal_store& now,
                                            std::size_t count) {
  auto old_events = recorded.read_events();
  if (!old_events)
    return std::move(old_events.error());
  auto new_events = now.read_events();
  if (!new_events)
    return std::move(new_events.error());
  for (std::size_t i = 0; i < std::max(count, new_events->size()); ++i) {
    if (i >= new_events->size())
      return name_of((*old_events)[i]) + ": it is not written now";
    const auto& y = (*new_events)[i];
    if (i >= count)
      return name_of(y) + ": it is written now as well";
    const auto& x = (*old_events)[i];
    auto recorded_one = read_recorded(x);
    if (!recorded_one)
      return std::move(recorded_one.error());
    if (!says_the_same(*recorded_one, y))
      return fmt::format("{}: {}", name_of(x),
                         difference({x, texts_of(recorded)}, {y, texts_of(now)}));
  }
  return std::string{};
}

} // namespace lathe::runtime
