#include "messages/device_name.hpp"

#include <algorithm>
#include <charconv>

namespace lathe {

namespace {

std::optional<std::size_t> parse_number(std::string_view text) {
  std::size_t result = 0;
  auto* end = text.data() + text.size();
  auto [stopped, error] = std::from_chars(text.data(), end, result);
  return error == std::errc{} && stopped == end ? std::optional{result} : std::nullopt;
}

std::optional<device_name> parse_cards(std::string_view text) {
  device_name result{device_name::kind::cuda, {}};
  for (std::size_t begin = 0; begin <= text.size();) {
    auto end = std::min(text.find(',', begin), text.size());
    auto card = parse_number(text.substr(begin, end - begin));
    if (!card || std::ranges::find(result.cards, *card) != result.cards.end())
      return std::nullopt;
    result.cards.push_back(*card);
    begin = end + 1;
  }
  return result;
}

} // namespace

std::optional<device_name> parse_device_name(std::string_view text) {
  using kind = device_name::kind;
  constexpr std::string_view numbered = "cuda:";
  constexpr std::string_view stand_ins = "cpu:";
  if (text == "auto")
    return device_name{kind::automatic, {}};
  if (text == "cpu")
    return device_name{kind::cpu, {}};
  if (text == "cuda")
    return device_name{kind::cuda, {0}};
  if (text == "cuda:all")
    return device_name{kind::all_cuda, {}};
  if (text.starts_with(numbered))
    return parse_cards(text.substr(numbered.size()));
  if (!text.starts_with(stand_ins))
    return std::nullopt;
  auto count = parse_number(text.substr(stand_ins.size()));
  return count.value_or(0) > 0 ? std::optional{device_name{kind::cpu, {}, *count}} : std::nullopt;
}

} // namespace lathe
