#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace lathe::llm_clients {

/// What two versions of a text are called.
struct text_versions {
  std::string_view first;
  std::string_view second;
};

/// Returns how many bytes two texts begin with alike.
std::size_t common_prefix(std::string_view a, std::string_view b);

/// Says in which line two different texts of valid UTF-8 part, and what each has there:
/// `line 3: asked "x = 1", recorded "x = 2"`. Of a long line the part around the difference is
/// shown.
std::string first_difference(std::string_view a, std::string_view b, text_versions names);

} // namespace lathe::llm_clients
