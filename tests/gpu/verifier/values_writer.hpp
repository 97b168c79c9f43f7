#pragma once

#include "gpu/verifier/values.hpp"
#include "messages/unique_fd.hpp"

#include <string>
#include <string_view>
#include <utility>

namespace lathe::verifier::test {

/// Adds `item` at the end of `target`. Kept out of line: g++ 12 warns of what it inlines here.
void append(sequence& target, value item);

/// A tuple of values, as a model returns them.
template <class... Items>
value tuple_of(Items&&... items) {
  sequence result{true, {}};
  (append(result, value{std::forward<Items>(items)}), ...);
  return {std::move(result)};
}

/// Writes a value as docs/evaluation_protocol.md asks.
std::string to_bytes(const value& x);

/// Puts a header of one's own making, and `tail` after it, into a values file.
std::string with_header(std::string_view header, std::string_view tail = {});

/// Makes a memory file that holds `bytes`.
unique_fd file_of(std::string_view bytes);

/// The same for a value.
unique_fd file_of(const value& x);

} // namespace lathe::verifier::test
