#pragma once

#include "messages/error.hpp"
#include "messages/json_reader.hpp"
#include "messages/json_writer.hpp"

#include <caf/expected.hpp>

#include <string>
#include <string_view>

// Messages as compact JSON, for the journal and for people. What goes out comes back exactly:
// CAF's own JSON writer rounds floating-point numbers to six decimals and its reader refuses what
// it wrote for control characters, infinities and large integers.

namespace lathe {

/// Returns `x`, any type with an `inspect`, as one line of JSON.
template <class T>
std::string to_json(const T& x) {
  json_writer writer;
  // Writing cannot fail; a type that the writer does not know does not compile.
  static_cast<void>(writer.apply(x));
  return writer.take();
}

/// Reads what `to_json` made. Unknown keys are ignored; a missing one is an error unless its field
/// is optional or has a fallback.
template <class T>
caf::expected<T> from_json(std::string_view text) {
  json_reader reader{text};
  T result{};
  if (reader.get_error())
    return reader.get_error();
  if (!reader.apply(result))
    return reader.failure();
  return result;
}

} // namespace lathe
