#pragma once

#include <caf/default_enum_inspect.hpp>
#include <caf/string_view.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>

namespace lathe {

/// The texts of an enum's values, in order. Specialise it with a `value` array to give an enum
/// `to_string`, `from_string` and an `inspect` that writes the text where people can read it.
template <class Enum>
struct enum_names;

template <class Enum>
concept named_enum = std::is_enum_v<Enum> && requires { enum_names<Enum>::value.size(); };

template <named_enum Enum>
std::string to_string(Enum x) {
  auto index = static_cast<std::size_t>(x);
  return index < enum_names<Enum>::value.size() ? std::string{enum_names<Enum>::value[index]}
                                                : "unknown";
}

template <named_enum Enum>
bool from_integer(std::underlying_type_t<Enum> number, Enum& x) {
  if (static_cast<std::size_t>(number) >= enum_names<Enum>::value.size())
    return false;
  x = static_cast<Enum>(number);
  return true;
}

template <named_enum Enum>
bool from_string(std::string_view text, Enum& x) {
  for (std::size_t index = 0; index < enum_names<Enum>::value.size(); ++index)
    if (enum_names<Enum>::value[index] == text)
      return from_integer(static_cast<std::underlying_type_t<Enum>>(index), x);
  return false;
}

template <named_enum Enum>
bool from_string(caf::string_view text, Enum& x) {
  return from_string(std::string_view{text.data(), text.size()}, x);
}

template <class Inspector, named_enum Enum>
bool inspect(Inspector& f, Enum& x) {
  return caf::default_enum_inspect(f, x);
}

} // namespace lathe
