#include "messages/device_name.hpp"

#include <charconv>

namespace lathe {

std::optional<device_name> parse_device_name(std::string_view text) {
  using kind = device_name::kind;
  constexpr std::string_view numbered = "cuda:";
  if (text == "auto")
    return device_name{kind::automatic};
  if (text == "cpu")
    return device_name{kind::cpu};
  if (text == "cuda")
    return device_name{kind::cuda};
  if (!text.starts_with(numbered))
    return std::nullopt;
  device_name result{kind::cuda};
  auto* begin = text.data() + numbered.size();
  auto* end = text.data() + text.size();
  auto [stopped, error] = std::from_chars(begin, end, result.card);
  return error == std::errc{} && stopped == end ? std::optional{result} : std::nullopt;
}

} // namespace lathe
